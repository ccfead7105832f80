package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed steering_default.md
var steeringDefaultPage string

// SteeringDefault flags defaults that send something to somebody.
var SteeringDefault = rules.Rule{
	ID:         "steering-default",
	Title:      "Default value sends a copy or a result to a fixed address",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{200, 441},
	Covers:     []string{"SCH-008"},
	Page:       steeringDefaultPage,
	Check:      checkSteeringDefault,
}

func checkSteeringDefault(pass *rules.Pass) {
	params(pass, func(p param) {
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		write, send := written.Has(string(name)), receivers.Has(string(name))
		if !send && !write {
			return
		}
		for _, f := range p.inside {
			if f.Key {
				continue
			}
			rest := f.Path[len(p.path):]
			if rest != ".default" && rest != ".const" && !strings.HasPrefix(rest, ".default[") && !strings.HasPrefix(rest, ".items.default") {
				continue
			}
			value := f.Text.Raw()
			if send && addressed(value) {
				finding := p.finding(f.Text.Span, "parameter %q of tool %q has a default, so what the tool sends goes to an address that its author chose (%q). Remove the default and let the user name the receiver.",
					p.name, p.tool.Name, shown(f.Text))
				finding.Subject = f.Path
				pass.Report(finding)
			} else if write && startup(value) {
				finding := p.finding(f.Text.Span, "parameter %q of tool %q writes to %q unless somebody says otherwise: that file runs or configures other programs. Remove the default.",
					p.name, p.tool.Name, shown(f.Text))
				finding.Subject = f.Path
				pass.Report(finding)
			}
		}
	})
}

var (
	receivers = pattern.Words(`to cc bcc recipient recipients to_email to_address email_to send_to mail_to receiver reply_to forward_to forward forwarding_address forward_email
		notify notify_email notification_email copy_to send_copy_to webhook webhook_url callback callback_url callback_uri notify_url notification_url notification_webhook
		report_to report_url upload_to upload_url log_url log_endpoint telemetry_url telemetry_endpoint collector_url analytics_url sync_url backup_url mirror_url post_to
		payout_address payee beneficiary destination_address recipient_address withdrawal_address to_wallet recipient_wallet iban recipient_iban`)
	written = pattern.Words("output output_path output_file out_path outfile destination dest dest_path target_path target_file save_to save_path file_path filepath path filename write_to log_file")
)

// addressed reports whether a value is a real address: of mail, of a host that
// is not the user's own, or of money.
func addressed(v string) bool {
	if len(v) > 512 || strings.ContainsAny(v, " {}<>") {
		return false
	}
	low := strings.ToLower(v)
	for _, placeholder := range []string{"example", "localhost", "127.0.0.1", "[::1]", "your", "placeholder", ".local", ".test", ".invalid", "user@", "name@", "host.docker.internal"} {
		if strings.Contains(low, placeholder) {
			return false
		}
	}
	if _, rest, ok := strings.Cut(low, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return strings.Contains(host, ".")
	}
	if local, domain, ok := strings.Cut(low, "@"); ok {
		return local != "" && strings.Contains(domain, ".")
	}
	// Addresses of money are long, without a sign and with digits and letters.
	digits, letters := 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		default:
			return false
		}
	}
	return digits >= 6 && letters >= 2 && len(v) >= 15 && len(v) <= 90 && strings.Trim(v, "0x") != ""
}

// startup reports whether a path is one that programs run or read by
// themselves.
func startup(v string) bool {
	v = strings.ToLower(strings.ReplaceAll(v, `\`, "/"))
	if len(v) > 512 {
		return false
	}
	for _, part := range []string{".bashrc", ".zshrc", ".bash_profile", ".zprofile", "/.profile", ".zshenv", "authorized_keys", "launchagents/", "launchdaemons/", "/etc/cron", "/etc/profile", "/etc/sudoers", "/etc/ld.so",
		"systemd/system/", "systemd/user/", "start menu/programs/startup", ".git/hooks/", ".cursor/mcp.json", ".claude/settings", ".claude.json", ".mcp.json", "claude_desktop_config.json", ".vscode/mcp.json", ".ssh/config"} {
		if strings.Contains(v, part) {
			return true
		}
	}
	return false
}
