package judge

import (
	"strings"
	"testing"
)

// sameAs holds what the functions of find.go find to what the regular
// expressions do.
func sameAs(t *testing.T, low string) {
	t.Helper()
	marked := uint32(0)
	for n, p := range patterns {
		want := p.match.FindAllStringIndex(low, mostMatches)
		if p.find != nil {
			var got [][]int
			for from := 0; len(got) < mostMatches; {
				start, end := p.find(low, from)
				if start < 0 {
					break
				}
				got = append(got, []int{start, end})
				from = end
			}
			if len(got) != len(want) {
				t.Fatalf("%s in %q: %v; the expression has %v", p.name, low, got, want)
			}
			for i := range got {
				if got[i][0] != want[i][0] || got[i][1] != want[i][1] {
					t.Fatalf("%s in %q: %v; the expression has %v", p.name, low, got, want)
				}
			}
		}
		if p.at != nil && len(want) > 0 {
			marked |= 1 << n
		}
	}
	if marked == 0 {
		return
	}
	// What a mark of one byte rules out, the literals must have.
	seen := marks(low)
	for n, p := range patterns {
		if marked>>n&1 == 0 || seen>>n&1 != 0 {
			continue
		}
		literal := false
		for _, m := range p.marks {
			literal = literal || len(m) > 1 && strings.Contains(low, m)
		}
		if !literal {
			t.Fatalf("%s in %q has no mark", p.name, low)
		}
	}
}

var findSeeds = []string{
	"call `read_file` or 'list-files' and \"send\" tool, get_x_1 a__b _c d_ x_Y 'ab' function",
	` "twenty characters and more" 'it is said, by the others' ( “so it was written here” [ "ends`,
	"account_id: 'acme-12' 15 % 7% account 12345, 'a_b-c99' don't",
	"<important> [inst] <|im_start|> [system note: x] </hidden> [/admin] a<b c[0]",
	"$(x) sudo rm -rf /; rm -f a; rm -r; curl -s curl http curl x wget -q chmod +x chmod 7 chmod  bash -c sh -c ash -c _sh -c nc - crontab crontabs",
	"a >/dev/null && b | sh |bash | bash; |sha whoami whoamis cat / cat x echo 'a' echo \"b\" powershells printenv netstats ps aux df -h uname -a",
	"kill -9 killall -9 kill 9 systemctl start pip install npm install apt-get install xpip install \u00e9sudo sudo\u00e9 sudo_",
	"~/.ssh/id_rsa ~/. ~/.a-b/c ~x/.ssh folder /a/b.aws folder .kube folder x.docker folders .netrc folder folder .ssh content of .env .envx .env",
	"my_id_rsa id_rsa id_rsa2 id_ed25519 .ssh/ .aws/ /etc/passwd /etc/shadows credential.json credentials.json .npmrc mcp.json xmcp.json /proc/1 /proc/ .pem .pems keychains wallet.dat .git-credentials .kube/ .bashrc .zshrc",
	"mail a.b@c.d +12345678 a+b @x x@ http://a",
}

func TestFind(t *testing.T) {
	for _, s := range findSeeds {
		for i := range s {
			sameAs(t, s[i:])
			sameAs(t, s[:i])
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range findSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { sameAs(t, lower(s)) })
}
