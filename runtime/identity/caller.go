package identity

import (
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Caller is who started this program. All of it is what the system says of the
// parent process; a program may still be named like a client.
type Caller struct {
	User    string // login name; "" where the system has none for the number
	UID     int    // -1 on Windows
	Process string // the parent's executable file, shells and interpreters passed over; "" when not known
	Client  string // the row of analyzers/clientconfig of the client that it is; "" for none
}

// Parent is the caller of this process. On Linux it is read from /proc, on
// Windows from a snapshot of the processes (a file name alone); elsewhere
// Process and Client stay empty. The error says what could not be read; the
// rest of the answer counts nevertheless.
func Parent() (Caller, error) {
	c := Caller{UID: -1}
	u, err := user.Current()
	if err == nil {
		c.User = u.Username
		if n, bad := strconv.Atoi(u.Uid); bad == nil {
			c.UID = n
		}
	}
	line, bad := ancestor()
	if bad != nil {
		return c, bad
	}
	if len(line) > 0 {
		c.Process, c.Client = line[0], clientOf(line)
	}
	return c, err
}

// programs are the executables of clients, by base name; packages those of
// clients that run on Node.js, by the directory of their package.
var (
	programs = map[string]string{
		"claude": "claude-code", "claude-desktop": "claude-desktop", "Claude": "claude-desktop", "Claude.exe": "claude-desktop",
		"codex": "codex", "gemini": "gemini", "opencode": "opencode", "copilot": "copilot-cli",
		"cursor": "cursor", "Cursor": "cursor", "Cursor.exe": "cursor", "windsurf": "windsurf", "Windsurf": "windsurf", "Windsurf.exe": "windsurf",
		"code": "vscode", "code-insiders": "vscode", "Code.exe": "vscode", "Code - Insiders.exe": "vscode",
		"zed": "zed", "zed-editor": "zed", "Zed.exe": "zed",
	}
	packages = map[string]string{
		"@anthropic-ai/claude-code": "claude-code", "@openai/codex": "codex", "@google/gemini-cli": "gemini", "opencode-ai": "opencode",
		"@github/copilot": "copilot-cli", ".vscode-server": "vscode", ".cursor-server": "cursor", ".windsurf-server": "windsurf",
	}
)

// clientOf takes an executable with its arguments for a client's.
func clientOf(line []string) string {
	base := line[0][strings.LastIndexAny(line[0], `/\`)+1:]
	if name := programs[strings.TrimSuffix(base, " (deleted)")]; name != "" {
		return name
	}
	if !interprets(base) && !strings.Contains(line[0], "-server/") {
		return ""
	}
	for _, word := range line[:min(len(line), 8)] {
		for pkg, name := range packages {
			if strings.Contains("/"+filepath.ToSlash(word), "/"+pkg+"/") {
				return name
			}
		}
	}
	for _, word := range line[1:min(len(line), 8)] { // node .../bin/gemini
		if !strings.HasPrefix(word, "-") {
			return programs[filepath.Base(word)]
		}
	}
	return ""
}

// interprets reports whether a program runs files that it is given: node,
// python3.11.
func interprets(base string) bool {
	switch strings.TrimRight(base, "0123456789.") {
	case "node", "nodejs", "bun", "deno", "python", "ruby", "perl", "php", "java":
		return true
	}
	return false
}

// shells stand between a client and what it starts.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "zsh": true, "fish": true, "ash": true, "busybox": true, "env": true, "timeout": true, "nice": true}
