package launch

import (
	"strings"
	"sync"
)

// operand is what the first word that is no option is to a program.
type operand uint8

const (
	nothing    operand = iota
	onePackage         // fetched and run; a command when an option names the package
	packages           // all of them are fetched, none is run
	file               // a script or a URL that is run
	container          // an image
	contained          // a command inside a container
	inner              // a command: the program is a wrapper around it
	project            // a command of the project, or one that the table knows
	endpoint           // a URL to connect to
	proxied            // a URL to connect to, or a command
	shellLine          // text for a command interpreter, with all that follows
	inlineCode         // a program in the interpreter's own language
	hosted             // a name in the program's own registry
	workload           // an image, a URL, a package scheme or a name (thv)
	flake              // a Nix flake reference
)

// launcher is a row of the table: one command that starts other things.
type launcher struct {
	names     string // separated by commas, with their subcommands
	values    string // options with a value: see newGrammar
	switches  string // options without
	style     style
	operand   operand
	skip      int    // operands before the one that counts
	ecosystem string // of the packages it fetches
	dialect   *dialect
	quiet     bool // its options say nothing about what is started: they are left out of Launch.Flags
	tool      bool // is itself distributed as a package: "npx NAME" starts it
	needDash  bool // the command is behind "--"
}

const (
	npmSwitches = "--all --allow-same-version --audit --bin-links --browser --bypass-2fa --color --commit-hooks " +
		"--dangerously-allow-all-scripts --description --desc --dev --diff-ignore-all-space --diff-name-only --diff-no-prefix " +
		"--diff-text --dry-run --engine-strict --expect-results --force --foreground-scripts --format-package-lock --fund " +
		"--git-tag-version --global --global-style --if-present --ignore-scripts --include-staged -iwr,--include-workspace-root " +
		"--include-attestations --init-private --install-links --json --legacy-bundling --legacy-peer-deps --link --long " +
		"--no-bin-links --no-audit --no-fund --no-update-notifier --no-color --no-progress --no-package-lock --no-save " +
		"--offline --omit-lockfile-registry-resolved --optional --package-lock --package-lock-only --parseable --porcelain " +
		"--allow-scripts-pending --allow-scripts-pin --prefer-dedupe --prefer-offline --prefer-online --production --progress " +
		"--provenance --readonly,--read-only --rebuild-bundle --save --save-bundle --save-dev --save-exact --save-optional " +
		"--save-peer --save-prod --packages-all --shrinkwrap --sign-git-commit --sign-git-tag --strict-peer-deps " +
		"--strict-allow-scripts --strict-ssl --timing --unicode --update-notifier --usage -v,--version --versions -ws,--workspaces " +
		"--workspaces-update -y,--yes --no,-n,--no-yes --no-install -q,--quiet -s,--silent --verbose -d -dd -ddd -h,--help " +
		"-f,--force -g,--global -a,--all -l,--long -D,--save-dev -E,--save-exact -O,--save-optional -P,--save-prod -S,--save"
	npmValues = "-C,--prefix --reg,--registry:registry --userconfig --globalconfig --cache --cache-max --cache-min --node-options " +
		"--node-arg --script-shell --shell,--script-shell -w,--workspace --loglevel --logs-dir --allow-scripts --allow-git --allow-remote " +
		"--allow-file --allow-directory --before --min-release-age --min-release-age-exclude --ca --cafile --cert --key --proxy " +
		"--https-proxy --noproxy --tag --omit --include --install-strategy --otp --scope --user-agent --node-gyp --cpu --os " +
		"--libc --fetch-retries --fetch-timeout --maxsockets -L,--location --auth-type --_auth --depth"
	bunValues = "--cwd --env-file --minimum-release-age --registry:registry --ca --cafile -c,--config -r,--preload,--require --import " +
		"-d,--define -l,--loader --conditions --tsconfig-override --port --filter -e,--eval:code -p,--print:code --inspect-wait --install"
	bunSwitches = "--bun -b,--bun --no-install -i --trust --ignore-scripts --verbose --silent --watch --hot --smol --inspect --inspect-brk " +
		"--if-present --prefer-offline --prefer-latest --no-env-file -y,--yes --no-cache --force"
	uvValues = "--index:registry --default-index:registry -i,--index-url:registry --extra-index-url:registry -f,--find-links:registry " +
		"-w,--with:with --with-editable --with-requirements -c,--constraints,--constraint -b,--build-constraints --overrides,--override " +
		"--env-file --python-platform --torch-backend --index-strategy --keyring-provider -P,--upgrade-package --upgrade-group " +
		"--resolution --prerelease --prerelease-package --fork-strategy --exclude-newer --exclude-newer-package " +
		"--no-sources-package --reinstall-package --link-mode -C,--config-setting --config-settings-package " +
		"--no-build-isolation-package --no-build-package --no-binary-package --refresh-package --cache-dir -p,--python --color " +
		"--allow-insecure-host --directory --project --config-file"
	uvSwitches = "--isolated --no-env-file --lfs -V,--version --no-index -U,--upgrade --no-sources --reinstall --compile-bytecode " +
		"--no-build-isolation --no-build --no-binary --require-build-hashes --no-require-build-hashes -n,--no-cache --refresh " +
		"--managed-python --no-managed-python --no-python-downloads -q,--quiet -v,--verbose --system-certs --native-tls --offline " +
		"--no-progress --no-config -h,--help --preview --force-reinstall"
	pipValues = "-i,--index-url:registry --extra-index-url:registry -f,--find-links:registry -r,--requirement -c,--constraint -t,--target " +
		"--prefix --root --python --timeout --proxy --trusted-host --platform --only-binary --no-binary --cache-dir -e,--editable"
	pipSwitches = "-U,--upgrade --user --pre --no-deps --no-index --force-reinstall -q,--quiet -v,--verbose --no-cache-dir " +
		"--break-system-packages --require-hashes --no-input --disable-pip-version-check --isolated --system"
	dockerValues = "--add-host --annotation -a,--attach --blkio-weight --blkio-weight-device --cap-add --cap-drop --cgroup-parent --cgroupns " +
		"--cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c,--cpu-shares --cpus " +
		"--cpuset-cpus --cpuset-mems --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops " +
		"--device-write-bps --device-write-iops --dns --dns-opt,--dns-option --dns-search --domainname --entrypoint:image -e,--env " +
		"--env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries --health-start-interval " +
		"--health-start-period --health-timeout -h,--hostname --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation " +
		"--kernel-memory -l,--label --label-file --link --link-local-ip --log-driver --log-opt --mac-address -m,--memory " +
		"--memory-reservation --memory-swap --memory-swappiness --mount --name --net,--network --net-alias,--network-alias " +
		"--oom-score-adj --pid --pids-limit --platform -p,--publish --pull --restart --runtime --security-opt --shm-size " +
		"--stop-signal --stop-timeout --storage-opt --sysctl --tmpfs --ulimit -u,--user --userns --uts -v,--volume " +
		"--volume-driver --volumes-from -w,--workdir --authfile --arch --os --variant --pod --secret --hooks-dir --creds " +
		"--cert-dir --decryption-key --env-merge --unsetenv --cgroup-conf --conmon-pidfile --pidfile --pod-id-file " +
		"--requires --sdnotify --seccomp-policy --shm-size-systemd --subgidname --subuidname --systemd --timeout --tz --uidmap " +
		"--gidmap --umask --chrootdirs --preserve-fd --preserve-fds --personality --retry --retry-delay --namespace --snapshotter"
	dockerSwitches = "-d,--detach --disable-content-trust --help --init -i,--interactive --no-healthcheck --oom-kill-disable --privileged " +
		"-P,--publish-all -q,--quiet --read-only --rm --sig-proxy -t,--tty --use-api-socket --replace --tls-verify --rmi " +
		"--no-hosts --no-hostname --unsetenv-all --read-only-tmpfs --env-host --http-proxy --passwd --rootfs --uidmap-host"
	denoValues = "-c,--config --import-map --location --seed --cert --preload,--import -L,--log-level --ext --watch-exclude " +
		"--permission-set --conditions --tunnel-name --require"
	denoSwitches = "-A,--allow-all -R,--allow-read -W,--allow-write -N,--allow-net -E,--allow-env -S,--allow-sys --allow-run --allow-ffi " +
		"-I,--allow-import --allow-hrtime --allow-read --allow-scripts --ignore-scripts --deny-read --deny-write --deny-net --deny-env --deny-run " +
		"--deny-ffi --deny-sys --deny-import --ignore-read --ignore-env -P,--permission-set --no-prompt -q,--quiet -r,--reload --cached-only --no-check --check " +
		"--no-lock --lock --frozen --no-npm --no-remote --no-config --node-modules-dir --vendor --env,--env-file --inspect " +
		"--inspect-brk --inspect-wait --watch --watch-hmr --unstable --v8-flags --strace-ops --no-clear-screen -y,--yes --coverage --cpu-prof"
	nodeValues = "-e,--eval:code -p,--print:code -pe,--print:code -r,--require --import --loader,--experimental-loader -C,--conditions " +
		"--env-file --env-file-if-exists --title --input-type --openssl-config --icu-data-dir --redirect-warnings " +
		"--diagnostic-dir --watch-path --snapshot-blob --stack-trace-limit --unhandled-rejections --dns-result-order"
	nodeSwitches = "--inspect --inspect-brk --inspect-wait -c,--check -i,--interactive --watch --no-warnings --enable-source-maps"
	tsValues     = nodeValues + " -P,--project,--tsconfig -O,--compiler-options --cwd --dir --scope-dir -I,--ignore -D,--ignore-diagnostics"
	tsSwitches   = nodeSwitches + " --esm -T,--transpile-only --files --pretty --no-cache -H,--compiler-host --swc --skip-project"
	goValues     = "-C -p -covermode -coverpkg -asmflags -buildmode -compiler -exec -gccgoflags -gcflags -installsuffix -ldflags -mod " +
		"-modfile -overlay -pgo -pkgdir -tags -toolexec"
	goSwitches     = "-a -n -race -msan -asan -cover -v -work -x -buildvcs -json -linkshared -modcacherw -trimpath"
	dotnetValues   = "--version:version --source,--add-source:registry --configfile --framework -v,--verbosity -a,--arch --tool-path --tool-manifest"
	dotnetSwitches = "-y,--yes --prerelease --allow-roll-forward --interactive --disable-parallel --ignore-failed-sources " +
		"--no-http-cache --allow-downgrade -g,--global --local"
)

// table holds every launcher. The grammars of npm, uv, pipx, docker, node,
// python, go and pnpm were compared with their own help; the others are from
// documentation, and an option they lack makes a reading ambiguous, not wrong.
var table = []launcher{
	// npm and its relatives.
	{names: "npx,npm exec,npm x", values: "-p,--package:spec -c,--call:line " + npmValues, switches: npmSwitches, style: swallow, operand: onePackage, ecosystem: "npm"},
	{names: "npm install,npm i,npm add", values: npmValues, switches: npmSwitches, style: anywhere | swallow, operand: packages, ecosystem: "npm"},
	{names: "npm run,npm run-script,npm start,npm test", values: npmValues, switches: npmSwitches, style: swallow},
	{names: "bunx,bun x", values: bunValues + " -p,--package:spec", switches: bunSwitches, operand: onePackage, ecosystem: "npm"},
	{names: "bun run,bun", values: bunValues, switches: bunSwitches, style: lenient, operand: file},
	{names: "pnpm dlx,pnpx,pnx", values: "--package:spec --allow-build -C,--dir --env-file --cpu --os --libc --registry:registry --reporter --loglevel --config",
		switches: "-c,--shell-mode:dash -y,--yes -s,--silent", operand: onePackage, ecosystem: "npm"},
	{names: "pnpm exec,yarn exec", values: "-C,--dir --filter,-F,--filter --workspace-concurrency --reporter", switches: "-r,--recursive -c,--shell-mode:dash --parallel", operand: project},
	{names: "yarn dlx", values: "-p,--package:spec", switches: "-q,--quiet", operand: onePackage, ecosystem: "npm"},
	{names: "yarn run,yarn node", values: "--cwd --inspect", switches: "-T,--top-level -B,--binaries-only"},
	{names: "pnpm add,pnpm install,pnpm i,yarn add,yarn global add,bun add,bun install,bun i", values: "-C,--dir --cwd --registry:registry --allow-build",
		switches: "-g,--global -D,--dev --exact -E -P -O --ignore-scripts", style: anywhere, operand: packages, ecosystem: "npm"},
	{names: "deno run,deno,deno serve", values: denoValues, switches: denoSwitches, style: lenient, operand: file},
	{names: "deno x,dx", values: "-p,--package:spec " + denoValues, switches: denoSwitches, operand: onePackage, ecosystem: "deno"},
	{names: "deno eval", values: denoValues, switches: denoSwitches + " -p,--print", style: lenient, operand: inlineCode},
	{names: "node,nodejs", values: nodeValues, switches: nodeSwitches, style: lenient, operand: file, tool: true},
	{names: "tsx,ts-node,ts-node-esm,ts-node-dev,nodemon,vite-node", values: tsValues, switches: tsSwitches, style: lenient, operand: file, tool: true},
	{names: "tsx watch", values: tsValues, switches: tsSwitches, style: lenient, operand: file, tool: true},

	// Python.
	{names: "uvx,uv tool run", values: "--from:spec " + uvValues, switches: uvSwitches, operand: onePackage, ecosystem: "pypi"},
	{names: "uv run", values: uvValues + " --extra --no-extra --group --no-group --only-group --package --no-editable-package",
		switches: uvSwitches + " -m,--module:modules -s,--script:scripts --gui-script:scripts --all-extras --no-dev --dev --only-dev --no-default-groups " +
			"--all-groups --no-editable --exact --active --no-sync --locked --frozen --all-packages --no-project", operand: project, ecosystem: "pypi"},
	{names: "uv pip install,uv tool install,uv add", values: uvValues + " -r,--requirement -t,--target --prefix", switches: uvSwitches + " --system", style: anywhere, operand: packages, ecosystem: "pypi"},
	{names: "pipx run", values: "--spec:spec --with:with --python-args --python --fetch-python -i,--index-url:registry --pip-args --cooldown --backend",
		switches: "-q,--quiet -v,--verbose --skip-maintenance --global --no-cache --refresh --no-path-check --path:local --pypackages " +
			"--fetch-missing-python --system-site-packages -e,--editable", operand: onePackage, ecosystem: "pypi"},
	{names: "pip install,pipx install", values: pipValues, switches: pipSwitches, style: anywhere, operand: packages, ecosystem: "pypi"},
	{names: "python,pythonw,py,pypy", values: "-c,--command:code -m,--module:module -W,--warn -X,--option --check-hash-based-pycs", style: terminal | lenient,
		switches: "-b -B -d -E -h -i -I -O -OO -P -q -s -S -t -u -v -V -x -bb -2 -3", operand: file},
	{names: "fastmcp run,fastmcp dev", values: "--transport,-t,--transport --host -p,--port --path -l,--log-level --with:with --with-editable --with-requirements --python --project",
		switches: "--no-banner --skip-env --reload --skip-source", style: anywhere, operand: file, ecosystem: "pypi", tool: true},
	{names: "mcp run,mcp dev,mcp install", values: "-t,--transport --with:with -e,--with-editable --name -v,--env-var -f,--env-file", style: anywhere, operand: file, ecosystem: "pypi", tool: true},

	// Containers.
	{names: "docker run,docker container run,docker create,podman run,podman container run,nerdctl run,nerdctl container run",
		values: dockerValues, switches: dockerSwitches, operand: container},
	{names: "docker exec,podman exec,nerdctl exec,docker container exec", values: "-e,--env --env-file -u,--user -w,--workdir --detach-keys",
		switches: "-i,--interactive -t,--tty -d,--detach --privileged", operand: contained, skip: 1},
	{names: "docker mcp gateway run", values: "--servers --catalog --additional-catalog --config --additional-config --secrets --tools --port --transport " +
		"--interceptor --mcp-registry --cpus --memory --profile --registry --additional-registry --tools-config --log --oci-ref",
		switches: "--block-network --block-secrets --debug-dns --dry-run --enable-all-servers --keep --log-calls --long-lived --static --verbose " +
			"--verify-signatures --watch --use-configured-catalogs", style: anywhere},
	{names: "thv run", values: "--name --transport --target-port --target-host --proxy-port --host --permission-profile -e,--env -v,--volume --secret --network " +
		"--label -l,--label --image-verification --ca-cert --group --from-config --env-file --env-file-dir --tools --runtime-image",
		switches: "-f,--foreground --isolate-network --allow-docker-gateway --debug", operand: workload},

	// Other ecosystems.
	{names: "go run", values: goValues, switches: goSwitches, style: oneDash, operand: onePackage, ecosystem: "golang"},
	{names: "go install,go get", values: goValues, switches: goSwitches, style: oneDash | anywhere, operand: packages, ecosystem: "golang"},
	{names: "dnx,dotnet tool exec,dotnet tool execute,dotnet dnx", values: dotnetValues, switches: dotnetSwitches, style: anywhere | lenient, operand: onePackage, ecosystem: "nuget"},
	{names: "dotnet tool install", values: dotnetValues, switches: dotnetSwitches, style: anywhere, operand: packages, ecosystem: "nuget"},
	{names: "dotnet tool run,dotnet build,dotnet watch", values: dotnetValues, switches: dotnetSwitches},
	{names: "dotnet run", values: "-p,--project:script -f,--framework -c,--configuration -r,--runtime -v,--verbosity --launch-profile -a,--arch --os --file:script",
		switches: "--no-build --no-restore --no-launch-profile --no-dependencies --interactive"},
	{names: "dotnet,dotnet exec", values: "--roll-forward --fx-version --depsfile --runtimeconfig --additional-deps --additionalprobingpath", operand: file},
	{names: "java,javaw", values: "-jar:script -cp,-classpath,--class-path -p,--module-path --upgrade-module-path --add-modules --add-opens --add-exports --add-reads -m,--module:module " +
		"--enable-native-access --source", switches: "-server -client", style: oneDash | lenient | terminal},
	{names: "jbang,jbang run", values: "-m,--main --deps:with -j,--java -D --repos:registry --cp,--class-path -s,--sources --javaagent -R,--runtime-option -C,--compile-option",
		switches: "--fresh --verbose --quiet -o,--offline --insecure", style: lenient, operand: onePackage, ecosystem: "maven"},
	{names: "cargo run", values: "--bin --example -p,--package --manifest-path --features -F,--features --profile --target --target-dir -j,--jobs --config -Z --color --message-format",
		switches: "-r,--release --all-features --no-default-features --locked --offline --frozen -q,--quiet -v,--verbose"},
	{names: "cargo install,cargo binstall", values: "--version,--vers,--version:version --git:with --branch --tag --rev --path --root --index:registry --registry:registry --features -F,--features --profile --target -j,--jobs --bin",
		switches: "--locked -f,--force -q,--quiet -y,--no-confirm --all-features --no-default-features", style: anywhere, operand: packages, ecosystem: "cargo"},
	{names: "gem exec", values: "-g,--gem:spec -v,--version:version", switches: "--conservative --pre --prerelease", operand: onePackage, ecosystem: "gem"},
	{names: "gem install", values: "-v,--version:version -s,--source:registry -i,--install-dir", switches: "--no-document --pre --user-install", style: anywhere, operand: packages, ecosystem: "gem"},
	{names: "composer require,composer global require", switches: "--dev --no-interaction -n -q", style: anywhere, operand: packages, ecosystem: "composer"},
	{names: "composer exec,composer global exec", switches: "-l,--list -n,--no-interaction -q,--quiet"},
	{names: "php", values: "-r,--run:code -B,--process-begin:code -R,--process-code:code -E,--process-end:code -f,--file:script -c,--php-ini -d,--define -z,--zend-extension -S,--server -t,--docroot",
		switches: "-a -C -q -n,--no-php-ini -e -l -s -w", operand: file, style: terminal},
	{names: "ruby", values: "-e,--eval:code -r,--require -I,--include -C,--chdir -E,--encoding -W", switches: "-w -v -n -p -a -s -S -U", style: lenient, operand: file},
	{names: "perl", values: "-e,--eval:code -E,--eval:code -I,--include -M,--require -m,--require", switches: "-w -T -n -p -s -t", style: lenient, operand: file},

	// MCP bridges.
	{names: "mcp-remote,mcp-remote-client", values: "--header --header-file --transport --host --resource --ignore-tool --static-oauth-client-info --static-oauth-client-metadata " +
		"--client-metadata-url --authorize-param --auth-timeout", switches: "--allow-http --client-credentials --device-code --debug --silent --enable-proxy", style: anywhere | swallow, operand: endpoint, tool: true},
	{names: "supergateway", values: "--stdio:line --sse:remote --streamableHttp:remote --outputTransport --port --baseUrl --ssePath --messagePath --streamableHttpPath --logLevel " +
		"--healthEndpoint --header --oauth2Bearer --sessionTimeout --protocolVersion", switches: "--cors --stateful", style: anywhere, tool: true},
	{names: "mcp-proxy", values: "-H,--headers:pair --transport --client-id --client-secret --token-url --username --password -e,--env:pair --cwd --log-level --named-server:named " +
		"--named-server-config --port --host --sse-port --sse-host --allow-origin --expose-header --apiKey --connectionTimeout --corsAddAllowedHeader --endpoint " +
		"--eventStoreMaxEvents --gracefulShutdownTimeout --keepAliveTimeout --maxBodySize --requestTimeout --server --sessionIdleTimeout --sseEndpoint --streamEndpoint --tunnelSubdomain",
		switches: "--digest --verify-ssl --no-verify-ssl --pass-environment --no-pass-environment --debug --no-debug --stateless --no-stateless --eventStore --no-eventStore " +
			"--modern --no-modern --shell --tunnel", operand: proxied, tool: true},
	{names: "envmcp", values: "-e,--env-file", operand: inner, tool: true},
	{names: "@smithery/cli run,smithery run", values: "--config --key --profile --client", style: anywhere, operand: hosted, tool: true},

	{names: "curl,wget,iwr,irm,invoke-webrequest,invoke-restmethod", values: "-o,--output -H,--header -d,--data -X,--request -A,--user-agent -u,--user -O,--output -e,--referer -b,--cookie " +
		"-x,--proxy --connect-timeout --retry -m,--max-time -P --url:remote -uri:remote -outfile", switches: "-f -s -S -L -k -q -v -i -usebasicparsing -useb", style: anywhere | lenient, operand: endpoint, quiet: true},

	// Shells.
	{names: "sh,bash,zsh,dash,ash,ksh,fish", values: "-o,--option -O,--shopt --rcfile --init-file", style: lenient,
		switches: "-c,--command:dash -l,--login -i,--interactive -e -u -x -v -n -p -r -s --noprofile --norc --posix", operand: file, dialect: &posix, quiet: true},
	{names: "cmd", values: "/c,/c:command /k,/k:command /r,/c:command", switches: "/d /s /q /a /u", style: slashed | lenient, dialect: &cmdExe, quiet: true, operand: shellLine},
	{names: "powershell,pwsh", style: folded, dialect: &powerShell, operand: shellLine,
		values: "-command:command -c,-command:command -encodedcommand:encoded -e,-encodedcommand:encoded -ec,-encodedcommand:encoded -file:script -f,-file:script " +
			"-executionpolicy -ex,-executionpolicy -ep,-executionpolicy -windowstyle -inputformat -outputformat -version -psconsolefile -configurationname -workingdirectory -wd,-workingdirectory -settingsfile",
		switches: "-noprofile -nologo -noninteractive -noni,-noninteractive -noexit -sta -mta -login -l,-login"},

	// Wrappers.
	{names: "env", values: "-u,--unset -C,--chdir -S,--split-string:split -P,--path", switches: "-i,--ignore-environment - -0,--null -v,--debug --block-signal --default-signal --ignore-signal", operand: inner, quiet: true},
	{names: "sudo,doas", values: "-u,--user -g,--group -p,--prompt -C,--close-from -h,--host -D,--chdir -R,--chroot -r,--role -t,--type -T,--command-timeout -U,--other-user -a",
		switches: "-A -b -E,--preserve-env -H,--set-home -i,--login -k -K -n,--non-interactive -P -S,--stdin -s,--shell -L", operand: inner, quiet: true},
	{names: "nice", values: "-n,--adjustment", operand: inner, quiet: true, style: lenient},
	{names: "ionice", values: "-c,--class -n,--classdata -p,--pid", switches: "-t,--ignore", operand: inner, quiet: true},
	{names: "nohup,setsid,time,exec,command,builtin,winpty,caffeinate", values: "-f,--format -o,--output", switches: "-p -v -a -c -i -d -s -w -f", operand: inner, quiet: true, style: lenient},
	{names: "stdbuf", values: "-i,--input -o,--output -e,--error", operand: inner, quiet: true},
	{names: "timeout,gtimeout", values: "-k,--kill-after -s,--signal", switches: "--preserve-status --foreground -v,--verbose", operand: inner, skip: 1, quiet: true},
	{names: "start", switches: "/b /wait /min /max /i", style: slashed | lenient, operand: inner, quiet: true},
	{names: "call", operand: inner, quiet: true},
	{names: "busybox", operand: inner, quiet: true},
	{names: "wsl", values: "-d,--distribution -u,--user --cd -e,--exec:command --shell-type --distribution-id", switches: "~ --system", operand: inner, quiet: true},
	{names: "mise x,mise exec,rtx x", values: "-C,--cd -j,--jobs -c,--command:line -E,--env", switches: "-q,--quiet -v,--verbose -y,--yes --raw --fresh-env --no-deps", operand: inner, needDash: true, quiet: true},
	{names: "asdf exec,pyenv exec,rbenv exec,bundle exec,poetry run,pdm run,hatch run,pipenv run,rye run,pixi run,conda run,micromamba run,mamba run,volta run,fnm exec", values: "-n,--name -p,--prefix -C,--directory --node --npm --using -e,--environment --manifest-path",
		switches: "--no-capture-output --live-stream -v,--verbose", operand: project, quiet: true},
	{names: "direnv exec", operand: inner, skip: 1, quiet: true},
	{names: "op run", values: "--env-file --account --session --config", switches: "--no-masking --debug", operand: inner, quiet: true},
	{names: "dotenv,dotenv run,dotenvx run", values: "-e,--env -f,--file,--env-file -v,--variable -p -c,--cascade", switches: "-o,--override --quiet", operand: inner, quiet: true, tool: true},
	{names: "infisical run", values: "--env --path --projectId --token --command:line --tags --domain --env-file", switches: "--watch --recursive --expand --include-imports --silent", operand: inner, quiet: true},
	{names: "doppler run", values: "-p,--project -c,--config -t,--token --command:line --mount --mount-format --mount-template --scope --fallback --name-transformer --only-secrets", switches: "--preserve-env --silent --no-fallback", operand: inner, quiet: true},
	{names: "aws-vault exec,chamber exec,envchain", values: "-d,--duration --region", switches: "-n,--no-session -s,--server", operand: inner, skip: 1, quiet: true},
	{names: "cross-env,env-cmd", values: "-f,--file -e,--environments", operand: inner, quiet: true, tool: true},
	{names: "nix run", values: "--override-input:pair --option:pair -I,--include -f,--file --arg:pair --argstr:pair --extra-experimental-features --experimental-features --inputs-from",
		switches: "--impure --refresh --offline --accept-flake-config --no-write-lock-file", operand: flake},
	{names: "nix shell,nix develop", values: "-c,--command:command --override-input:pair --option:pair -I,--include --extra-experimental-features --experimental-features",
		switches: "--impure --refresh --offline -i,--ignore-environment", style: anywhere, operand: flake},
	{names: "nix-shell", values: "--run:line --command:line -I,--include -A,--attr --arg:pair --argstr:pair --option:pair -i:command", switches: "--pure --impure -p,--packages", style: anywhere},
}

// globals are the options that a program with subcommands takes in front of
// them.
var globals = map[string]func() *grammar{
	"npm":      lazily("-p,--package:spec "+npmValues, npmSwitches, swallow),
	"pnpm":     lazily("--package:spec -C,--dir --filter -F,--filter --registry:registry --reporter --loglevel", "-r,--recursive -w,--workspace-root -s,--silent", 0),
	"yarn":     lazily("--cwd", "-s,--silent", 0),
	"bun":      lazily(bunValues, bunSwitches, lenient),
	"deno":     lazily(denoValues, denoSwitches, lenient),
	"uv":       lazily(uvValues, uvSwitches, 0),
	"docker":   lazily("--config -c,--context -H,--host -l,--log-level --tlscacert --tlscert --tlskey", "-D,--debug --tls --tlsverify", 0),
	"podman":   lazily("--connection -c,--connection --url --identity --log-level --root --runroot --storage-driver --storage-opt --cgroup-manager", "-r,--remote", 0),
	"nerdctl":  lazily("-a,--address -H,--host -n,--namespace --snapshotter --data-root --host-gateway-ip", "--debug --insecure-registry", 0),
	"fastmcp":  lazily("", "", lenient),
	"nix":      lazily("--extra-experimental-features --experimental-features --option:pair --log-format", "-L,--print-build-logs --quiet -v,--verbose --offline --refresh", 0),
	"mise":     lazily("-C,--cd -E,--env -j,--jobs", "-q,--quiet -v,--verbose -y,--yes", 0),
	"doppler":  lazily("--config-dir --api-host --dashboard-host --attempts --timeout -t,--token --configuration --scope", "--json --no-check-version --debug --silent --print-config", 0),
	"op":       lazily("--account --cache --config --encoding --format --session", "--debug --iso-timestamps --no-color", 0),
	"dotenv":   lazily("-e,--env -f,--file,--env-file -v,--variable -p -c,--cascade", "-o,--override --quiet", 0),
	"cargo":    lazily("--config -C -Z --color", "-q,--quiet -v,--verbose --locked --offline --frozen", 0),
	"poetry":   lazily("-C,--directory -P,--project", "-n,--no-interaction -q,--quiet", 0),
	"composer": lazily("-d,--working-dir", "-n,--no-interaction -q,--quiet", 0),
	"thv":      lazily("", "--debug", 0),
	"dotnet":   lazily("", "-d,--diagnostics", lenient),
}

// lazily is a grammar that is built when it is first used.
func lazily(values, switches string, s style) func() *grammar {
	return sync.OnceValue(func() *grammar { return newGrammar(values, switches, s) })
}

// rows finds a row by its command, words separated by one space.
var rows = sync.OnceValue(func() map[string]row {
	byName := map[string]row{}
	for i := range table {
		l := &table[i]
		r := row{l, lazily(l.values, l.switches, l.style)}
		for name := range strings.SplitSeq(l.names, ",") {
			byName[name] = r
		}
	}
	return byName
})

type row struct {
	*launcher
	grammar func() *grammar
}

// programs are those that have subcommands.
var programs = sync.OnceValue(func() map[string]bool {
	withSub := map[string]bool{}
	for name := range rows() {
		if program, _, sub := strings.Cut(name, " "); sub {
			withSub[program] = true
		}
	}
	return withSub
})
