package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// flagsFirst moves the flags of a sub-command in front of its positional
// arguments, because cli/v2 stops reading flags at the first positional. "--"
// ends the flags. A command of a command (manifest sign) is one sub-command.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return args, nil
	}
	command := app.Command(args[0])
	if command == nil || command.SkipFlagParsing {
		return args, nil
	}
	depth := 1
	for ; depth < len(args); depth++ {
		i := slices.IndexFunc(command.Subcommands, func(c *cli.Command) bool { return c.HasName(args[depth]) })
		if i < 0 {
			break
		}
		command = command.Subcommands[i]
	}
	if len(command.Subcommands) > 0 {
		return args, nil // --help, or a name that the command itself refuses
	}
	valued := map[string]bool{}
	for _, f := range command.Flags {
		takesValue := true
		if d, ok := f.(cli.DocGenerationFlag); ok {
			takesValue = d.TakesValue()
		}
		for _, name := range f.Names() {
			valued[name] = takesValue
		}
	}
	flags, positionals := slices.Clone(args[:depth]), []string(nil)
	for i := depth; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			positionals = append(positionals, args[i+1:]...)
			i = len(args)
		case len(arg) < 2 || arg[0] != '-':
			positionals = append(positionals, arg)
		default:
			flags = append(flags, arg)
			name := strings.TrimLeft(arg, "-")
			if valued[name] { // and no "=value" in it, or it would not be known
				if i++; i == len(args) {
					return nil, usage("sallyport "+strings.Join(args[:depth], " ")+" --help lists the flags", "flag %s needs a value", arg)
				}
				flags = append(flags, args[i])
			}
		}
	}
	return append(append(flags, "--"), positionals...), nil
}

// oneLine makes text of unknown origin safe for a line of a terminal.
func oneLine(s string) string { return analyzers.Untrusted(s).String() }

// quoteArg writes an argument as a shell would need it.
func quoteArg(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
