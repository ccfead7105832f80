// Command sallyport scans MCP servers before you trust them.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/internal/release"
)

// The exit codes, a contract with scripts.
const (
	exitClean      = 0 // nothing at or above --fail-on
	exitFindings   = 1 // something is
	exitUsage      = 2 // the command line or the configuration is wrong
	exitIncomplete = 3 // something recognised could not be read
)

var version = release.Version

func main() {
	supervise()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// program is what the sub-commands may touch of the world.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
}

// commands is every sub-command, in the order of the help.
var commands = []func(*program) *cli.Command{
	scanCommand,
	judgeCommand,
	rulesCommand,
	explainCommand,
	convertCommand,
	inspectCommand,
	manifestCommand,
	registryCommand,
	runCommand,
	policyCommand,
	auditCommand,
	initCommand,
	versionCommand,
}

// failure is an error with the exit code and the next thing to type.
type failure struct {
	code    int
	problem string
	hint    string
}

func (f *failure) Error() string { return f.problem }

func usage(hint, format string, args ...any) error {
	return &failure{exitUsage, fmt.Sprintf(format, args...), hint}
}

// run is the whole program: args are without the program's name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	p := &program{stdin, stdout, stderr, env}
	app := p.app()
	if len(args) == 0 {
		args = []string{"scan"}
	}
	args, err := flagsFirst(app, args)
	if err == nil {
		err = app.RunContext(ctx, append([]string{app.Name}, args...))
	}
	return p.exit(ctx, err)
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name:            "sallyport",
		Usage:           "anti-virus for MCP: judge servers and tools before an agent calls them",
		Version:         version,
		HideVersion:     true,
		HideHelpCommand: true,
		Reader:          p.stdin,
		Writer:          p.stdout,
		ErrWriter:       p.stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // only run decides on exits
		OnUsageError:    explainUsage,
		Description: `Exit codes: 0 nothing at or above --fail-on; 1 findings; 2 usage or configuration;
3 incomplete: a recognised input could not be read, so nothing was called clean.`,
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if _, err := os.Stat(name); err == nil {
				return usage(fmt.Sprintf("sallyport scan %s", quoteArg(name)), "unknown command %q", name)
			}
			return usage("use one of: "+strings.Join(commandNames(c.App), ", "), "unknown command %q", name)
		},
	}
	for _, command := range commands {
		app.Commands = append(app.Commands, house(command(p)))
	}
	return app
}

// house gives a command and those below it the manners of the house.
func house(c *cli.Command) *cli.Command {
	c.OnUsageError = explainUsage
	c.HideHelpCommand = true
	for _, sub := range c.Subcommands {
		house(sub)
	}
	return c
}

func commandNames(app *cli.App) []string {
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
	}
	return names
}

func explainUsage(c *cli.Context, err error, _ bool) error {
	return usage(cmp.Or(strings.TrimSpace(c.Command.HelpName), "sallyport")+" --help lists the flags", "%s", strings.TrimPrefix(err.Error(), "flag provided but "))
}

// exit prints an error with its hint and returns the exit code.
func (p *program) exit(ctx context.Context, err error) int {
	if err == nil {
		return exitClean
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(p.stderr, "sallyport: interrupted")
		return exitIncomplete
	}
	f := &failure{code: exitUsage, problem: err.Error()}
	errors.As(err, &f)
	if f.problem != "" {
		fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(f.problem))
	}
	if f.hint != "" {
		fmt.Fprintf(p.stderr, "sallyport: hint: %s\n", oneLine(f.hint))
	}
	return f.code
}

func versionCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprintln(p.stdout, "sallyport", version)
			return err
		},
	}
}
