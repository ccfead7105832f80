package secret

import "strings"

// harmlessTexts returns texts in which nothing is a credential.
func harmlessTexts() []string {
	out := strings.Split(strings.TrimSpace(harmlessLines), "\n")
	return append(out,
		"-----BEGIN PUBLIC KEY-----\n"+draw(1, alnum, 64)+"\n-----END PUBLIC KEY-----",
		"-----BEGIN CERTIFICATE-----\n"+draw(1, alnum, 64)+"\n-----END CERTIFICATE-----",
		"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\\nYOUR_KEY\\n-----END PRIVATE KEY-----",
		"-----BEGIN RSA PRIVATE KEY-----", "the header -----BEGIN PRIVATE KEY----- starts it",
		"-----BEGIN PRIVATE KEY-----\n"+strings.Repeat("x", 64)+"\n-----END PRIVATE KEY-----",
		"data:image/png;base64,iVBORw0KGgo"+draw(2, alnum|slash, 400),
		`"integrity": "sha512-`+draw(3, alnum, 86)+`=="`,
		"sha256:"+draw(4, hexLow, 64), "commit "+draw(5, hexLow, 40), "go.sum h1:"+draw(6, alnum, 43)+"=",
		b64url(`{"alg":"HS256","typ":"JWT"}`)+"."+b64url(`{"sub":"1234567890","name":"John Doe","iat":1516239022}`)+"."+draw(7, url64, 43),
		"AKIA"+"IOSFODNN7"+"EXAMPLE", "aws_secret_access_key="+"wJalrXUtnFEMI/K7MDENG/"+"bPxRfiCYEXAMPLEKEY",
		"pk_live_"+draw(8, alnum, 24), "pk-lf-"+draw(8, hexLow, 36), "Ghp_"+draw(8, alnum, 36), "xghp_"+draw(8, alnum, 36),
		"ghp_"+draw(8, alnum, 12), "AKIA"+draw(8, upperNum, 12), "desk-"+draw(8, alnum, 48), "AC"+draw(9, hexLow, 32),
	)
}

const harmlessLines = `
550e8400-e29b-41d4-a716-446655440000
{"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
b4ee623039a6c60053ce67269701ad9e95073306
uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
image: mcp/sqlite@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
version 1.20.3-beta.4+build.20260101
/usr/local/lib/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js
C:\Users\alice\AppData\Roaming\Claude\claude_desktop_config.json
~/.ssh/id_ed25519
./secrets/token.json
max_tokens: 4096
"max_tokens": 200000
maxTokens=8192
TOKEN_LIMIT=100000
tokenizer: cl100k_base2
token_count = 123456789
total_tokens: 99887766
next_page_token: abc
The password must be at least 8 characters long.
Enter your password: then press return.
A token is a unit of text; tokens: words or pieces of words.
The secret of success is work.
Use the API key from the settings page.
password: string
"password": {"type": "string", "description": "Password of the user"}
"token": {"type": "string"}
"apiKey": "string"
"password": "Passwort"
"password": "Mot de passe"
"password": "password"
password=changeme
password=changeme123
password = getpass.getpass()
password: req.body.password1
token = getToken2()
const apiKey = process.env.OPENAI_API_KEY1
api_key=os.environ["API_KEY_2"]
api_key = os.getenv("API_KEY_2")
token: ${{ secrets.GITHUB_TOKEN }}
token: ${GITHUB_TOKEN}
token=$GITHUB_TOKEN
set TOKEN=%GITHUB_TOKEN%
"apiKey": "{{api_key_1}}"
"apiKey": "${input:api-key-1}"
"apiKey": "{env:API_KEY_1}"
api_key: <your-api-key-1>
API_KEY=YOUR_API_KEY_123
API_KEY=your_api_key_here
API_KEY=sk-...
API_KEY=sk-xxxx
OPENAI_API_KEY=sk-your-openai-key
OPENAI_API_KEY=sk-1234567890abcdef1234567890abcdef
ANTHROPIC_API_KEY=sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
ANTHROPIC_API_KEY=sk-ant-your-key-goes-in-this-very-place-please
GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
GITHUB_PERSONAL_ACCESS_TOKEN=<YOUR_TOKEN>
github_pat_11AAAAAAA_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX
SLACK_BOT_TOKEN=xoxb-your-bot-token
SLACK_BOT_TOKEN=xoxb-1234-5678-abcd
SLACK_BOT_TOKEN=xoxb-000000000000-000000000000-xxxxxxxxxxxxxxxxxxxxxxxx
https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX
https://hooks.slack.com/services/YOUR/WEBHOOK/URL
https://discord.com/api/webhooks/<id>/<token>
https://discord.com/developers/docs/resources/webhook
postgres://localhost:5432/app
postgres://user@localhost/app
postgres://user:password@localhost/app
postgres://user:pass@localhost:5432/db
postgres://postgres:postgres@localhost:5432/postgres
postgresql://username:your_password@host/db
postgres://app:${DB_PASSWORD}@db/app
postgres://app:$DB_PASSWORD@db/app
postgres://app:<password>@db/app
postgres://app:%DB_PASSWORD%@db/app
postgres://app:****@db/app
postgres://app:[REDACTED]@db/app
mysql://root:root@127.0.0.1:3306/test
mongodb://localhost:27017
mongodb+srv://<username>:<password>@cluster0.mongodb.net/
redis://localhost:6379/0
amqp://guest:guest@localhost:5672/
https://user:pass@host/path
http://localhost:3000/@scope/package:tag@1.2.3
https://github.com/modelcontextprotocol/servers.git
git+https://github.com/org/repo@v1.2.3
git+ssh://git@github.com/org/repo.git
ssh://git@github.com:22/org/repo.git
https://medium.com/@author/some-long-title-4f2a9c1b3d5e
https://avatars.githubusercontent.com/u/48680494?v=4
https://example.com/?token=YOUR_TOKEN
https://example.com/?api_key={{key}}
https://example.com/?api_key=${API_KEY}
https://example.com/?key=value&page_token=2
https://example.com/search?q=password&sort=token
https://example.com/?session=none
https://www.youtube.com/watch?v=dQw4w9WgXcQ
https://img.shields.io/npm/v/@scope/pkg.svg?style=flat-square&colorA=000000
https://cursor.com/install-mcp?name=x&config=eyJjb21tYW5kIjoibnB4IC15IEBzY29wZS9wa2cifQ==
eyJjb21tYW5kIjoibnB4IC15IEBzY29wZS9wa2ciLCJhcmdzIjpbXX0=
Authorization: Bearer <token>
Authorization: Bearer ${TOKEN}
Authorization: Bearer YOUR_ACCESS_TOKEN
Authorization: Bearer $ACCESS_TOKEN
Authorization: Bearer authentication
Authorization: Bearer {{ token }}
Bearer authentication is required for every request
Bearer realm="mcp", error="invalid_token"
Basic authentication is not supported
Authorization: Basic <credentials>
Authorization: Basic dXNlcjpwYXNzd29yZA==
Basic information about the repository
WWW-Authenticate: Basic realm="x"
authorization_endpoint: https://auth.example.com/authorize
AUTH_MODE=oauth2
AUTH_URL=https://auth.example.com/oauth2/v2.0/token
TOKEN_ENDPOINT=https://login.microsoftonline.com/common/oauth2/v2.0/token
TOKEN_FILE=/run/secrets/token1
SECRET_NAME=prod/app/db-password-2
secretName: my-app-tls-2024
secretKeyRef: name1
kubernetes.io/secret: app-config-v2
PASSWORD_FILE=/run/secrets/db_password1
PRIVATE_KEY_PATH=/home/alice/.ssh/id_rsa2
private_key_file: keys/server1.pem
KEY_ID=abc123def456
keyboard: qwerty2
monkey=banana22
author: alice2000
AUTHOR=alice2000
authors = ["alice2000"]
passwordless: true
password_min_length=12
PWD=/home/alice2/project
OLDPWD=/home/alice2/other
primary_key: user_id2
foreign_key=orders.user_id2
sort_key: created_at2
cache-key: v2-deps-linux
"key": "Ctrl+Shift+P2"
key: model-2024-08-06
publicKey: none2day
public_key=ssh-ed25519
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE alice@host
LINEAR_TOKEN_TYPE=bearer2
TOKEN_TTL=3600000
session_timeout=86400000
csrf-token: disabled
sk-learn-contrib-something-very-long-name-here
scikit-learn sk-toggleable__control sk-container-id-1
task-management risk-assessment disk-encryption
npm_config_registry npm_package_version npm_lifecycle_event
hf_hub_download hf_transfer hf_xet
pattern path patch patient compatible
SG.UI.Components
api_org_name
fc-list fc-cache fc-match
key-value key-binding key-rotation
re_compile re_match_something_else
xai-grok-model pplx-api
dapi database-api
secret_manager secret_version secret_rotation_lambda_function_name_v2
org.springframework.security.oauth2.client.token.OAuth2AccessTokenResponseClient
com.example.security.jwt.JwtTokenProvider2
getAccessTokenFromRefreshTokenWithRetry
thisIsAVeryLongCamelCaseIdentifierName2
claude-3-5-sonnet-20241022
gpt-4o-mini-2024-07-18
@modelcontextprotocol/server-github@2025.4.8
ghcr.io/github/github-mcp-server:v0.20.1
pkg:npm/%40scope/name@1.2.3
xmlns="http://www.w3.org/2000/svg" d="M12 0C5.37 0 0 5.37 0 12s5.37 12 12 12"
font-face src: url(data:font/woff2;base64,d09GMgABAAAAAAM)
Server=localhost;Database=app;Trusted_Connection=True;
Server=db;User Id=app;Password=<password>;
Server=db;User Id=app;Password=your_password;
DefaultEndpointsProtocol=https;AccountName=x;AccountKey=<key>;
https://x.blob.core.windows.net/c?sv=2023-01-03&sig=REDACTED
op://vault/item/token1
arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/app-AbCdEf
token: 'op://Private/GitHub/token1'
password: vault:secret/data/app#password1
apiKey: "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/x1)"
if token == "abc123def":
access_token_url=https://example.org/oauth2
"required": ["api_key", "password1"]
passwordField1: "input"
Pass --api-key KEY or set API_KEY.
--token TOKEN  the access token
--password-file /run/pw1
usage: tool --token <token> [--secret <secret>]
sorted by key: a1, b2, c3
`
