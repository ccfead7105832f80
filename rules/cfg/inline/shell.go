package inline

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

const (
	maxNames = 8   // variables and files that are followed through a line
	ahead    = 512 // bytes of an interpreter's own code that are looked at
)

var (
	fetchers = pattern.Words("curl wget wget2 aria2c fetch iwr irm invoke-webrequest invoke-restmethod http https")
	shells   = pattern.Words("sh bash zsh dash ksh fish ash iex invoke-expression cmd powershell pwsh")
	// interpreters read a program from standard input when no operand names one.
	interpreters = pattern.Words("python python2 python3 node nodejs perl ruby php deno bun tsx")
	evaluators   = pattern.Words("eval source . iex invoke-expression")
	decoders     = pattern.Words("base64 base32 xxd openssl uudecode gunzip zcat certutil")
	prefixes     = pattern.Words("sudo doas env nohup setsid exec command time then do else if while until ! { nice xargs busybox & start /c -c call")
)

type scan struct {
	text, lower string
	whole       bool // an interpreter is given the text, not a program
	found       []Place
}

func (s *scan) add(act Act, start, end int) {
	if !Has(s.found, act) {
		end = min(end, len(s.text))
		part := strings.TrimRight(s.text[start:end], " \t\r\n")
		end = start + len(part)
		start = end - len(strings.TrimLeft(part, " \t\r\n"))
		s.found = append(s.found, Place{act, start, end})
	}
}

// next cuts the command that starts at i.
func (s *scan) next(i int) (end int, operator string, after int) {
	n := strings.IndexAny(s.text[i:], "|;&\n`()<")
	for n >= 0 {
		at := i + n
		switch c := s.text[at]; c {
		case '<', '$':
			if at+1 < len(s.text) && s.text[at+1] == '(' {
				return at, "<(", at + 2
			}
		case '(':
			if at > i && s.text[at-1] == '$' {
				return at - 1, "$(", at + 1
			}
			return at, "(", at + 1
		case '|':
			if at+1 < len(s.text) && s.text[at+1] == '|' {
				return at, ";", at + 2
			}
			return at, "|", at + 1
		case '&':
			if at > 0 && s.text[at-1] == '>' || at+1 < len(s.text) && s.text[at+1] == '>' {
				break // 2>&1
			}
			return at, ";", at + 1
		case '`', ')':
			return at, string(c), at + 1
		default:
			return at, ";", at + 1
		}
		more := strings.IndexAny(s.text[at+1:], "|;&\n`()<")
		if more < 0 {
			break
		}
		n = at + 1 + more - i
	}
	return len(s.text), "", len(s.text)
}

// commands follows what is fetched or decoded through pipes, substitutions,
// variables and files to an interpreter.
func (s *scan) commands() {
	var (
		fetched, decoded int // start of the command, plus one, whose output runs through the pipe
		variables, files []string
		previous         string // text of the command before
		before           int    // where that starts
		invoking         int    // start, plus one, of iex and its like in this statement
		substituting     int    // start, plus one, of the command whose code this substitution is
	)
	operator, blank := "", false
	for i := 0; i < len(s.text); {
		end, following, after := s.next(i)
		part := s.lower[i:end]
		program, rest := head(part)
		if operator == ";" || operator == "" {
			fetched, decoded, invoking = 0, 0, 0
		}
		substituted := operator == "$(" || operator == "<(" || operator == "`" || operator == "("
		switch {
		case substituted && takesCode(previous):
			substituting = before + 1
		case s.whole && blank && (operator == "$(" || operator == "`"):
			substituting = i + 1 // its output is the command
		}
		switch {
		case operator == "|" && fetched > 0 && runs(program, rest, s.lower[i:min(len(s.lower), i+ahead)]):
			s.add(RunsDownload, fetched-1, end)
		case operator == "|" && decoded > 0 && runs(program, rest, s.lower[i:min(len(s.lower), i+ahead)]):
			s.add(RunsDecoded, decoded-1, end)
		}
		switch {
		case fetchers.Has(program) && strings.TrimSpace(rest) != "" || nested(part):
			fetched = i + 1
			if substituting > 0 || invoking > 0 {
				s.add(RunsDownload, max(substituting, invoking)-1, end)
			}
			if name := assigned(previous); name != "" && substituted && len(variables) < maxNames {
				variables = append(variables, name)
			}
			if file := output(program, rest); file != "" && len(files) < maxNames {
				files = append(files, file)
			}
		case decodes(program, rest):
			if decoded = i + 1; fetched > 0 {
				decoded = 0
			} else if substituting > 0 {
				s.add(RunsDecoded, substituting-1, end)
			}
		}
		if evaluators.Has(program) && program != "." && program != "source" && program != "eval" || strings.Contains(part, "scriptblock]::create") {
			invoking = i + 1
		}
		for _, name := range variables {
			if !strings.Contains(part, "$"+name) && !strings.Contains(part, "${"+name) {
				continue
			}
			switch {
			case evaluators.Has(program), shells.Has(program):
				s.add(RunsDownload, i, end)
			case program == "echo" || program == "printf":
				fetched = i + 1
			}
		}
		for _, file := range files {
			if fetchers.Has(program) || !strings.Contains(part, file) {
				continue
			}
			if shells.Has(program) || interpreters.Has(strings.TrimRight(program, "0123456789.")) || evaluators.Has(program) || program == "chmod" && strings.Contains(rest, "x") ||
				program == base(file) {
				s.add(RunsDownload, i, end)
			}
		}
		blank = strings.Trim(part, " \t\r\"'") == ""
		if !blank {
			previous, before = part, i
		}
		operator = following
		if operator == ")" || operator == "`" && fetched > 0 {
			operator = ")"
		}
		if operator == ")" || operator == ";" {
			substituting = 0
		}
		i = after
	}
	for _, loader := range [...]string{"mshta", "regsvr32", "rundll32"} {
		if i := strings.Index(s.lower, loader); i >= 0 && strings.Contains(s.lower[i:min(len(s.lower), i+200)], "http") {
			s.add(RunsDownload, i, i+len(loader))
		}
	}
}

// nested reports whether a command holds a download inside its words: an
// alias, or PowerShell's method.
func nested(part string) bool {
	if strings.Contains(part, "downloadstring") {
		return true
	}
	for _, word := range [...]string{"'curl ", "'wget ", "\"curl ", "\"wget ", "=curl ", ":curl "} {
		if strings.Contains(part, word) {
			return true
		}
	}
	return false
}

// head is the program of a command, lower case and without its directories,
// and what follows it. Quotes, assignments and words that introduce a command
// are passed over, and so are the fields of a crontab.
func head(part string) (program, rest string) {
	rest = part
	for range 8 {
		rest = strings.TrimLeft(rest, " \t\r\"'\\{")
		word := rest
		if n := strings.IndexAny(rest, " \t\r\"'"); n >= 0 {
			word = rest[:n]
		}
		rest = rest[len(word):]
		if len(word) > 256 {
			return "", rest
		}
		if eq := strings.IndexByte(word, '='); word != "" && strings.Trim(word, "0123456789*/,-") == "" || prefixes.Has(word) || eq > 0 && !strings.ContainsAny(word[:eq], "/-:.") {
			continue
		}
		// bash -c "curl …": the quoted line is a command of its own.
		if name := base(word); shells.Has(name) {
			options := rest[:min(len(rest), 256)]
			for _, option := range [...]string{" -c ", " -lc ", " -ic ", " /c ", " -command "} {
				if at := strings.Index(options, option); at >= 0 && strings.TrimLeft(rest[at+len(option):], " \t\"'\\") != "" {
					return head(rest[at+len(option):])
				}
			}
			return name, rest
		}
		return base(word), rest
	}
	return "", rest
}

func base(word string) string {
	word = word[strings.LastIndexAny(word, `/\`)+1:]
	return strings.TrimSuffix(word, ".exe")
}

// runs reports whether the program executes its standard input; following is
// the line from the program on, beyond operators that its own code may hold.
func runs(program, rest, following string) bool {
	if shells.Has(program) || evaluators.Has(program) && program != "." {
		return true
	}
	if !interpreters.Has(program) && !interpreters.Has(strings.TrimRight(program, "0123456789.")) {
		return false
	}
	rest = strings.Trim(rest, " \t\r\"'")
	if rest == "" || rest == "-" || strings.HasPrefix(rest, "- ") || program == "deno" && strings.HasSuffix(rest, " -") {
		return true
	}
	// Its own code reads the input: judged by what that code does.
	option, _, _ := strings.Cut(rest, " ")
	return (option == "-c" || option == "-e") && execution.find(following) != nil
}

// takesCode reports whether a substitution behind the text becomes code.
func takesCode(text string) bool {
	text = strings.TrimRight(text, " \t\"'\\")
	if text == "" {
		return false
	}
	program, _ := head(text)
	last := text[strings.LastIndexAny(text, " \t")+1:]
	return evaluators.Has(program) || shells.Has(program) || last == "-c" || last == "-command" ||
		interpreters.Has(program) && (last == "-e" || last == program)
}

// assigned is the variable that the end of the text assigns to.
func assigned(text string) string {
	text = strings.TrimRight(text, "\"'")
	name, ok := strings.CutSuffix(text, "=")
	if !ok {
		return ""
	}
	name = name[strings.LastIndexAny(name, " \t\"'")+1:]
	return strings.TrimLeft(name, "$")
}

// output is the file that a download is written to: the one that an option
// names, or the last part of the address.
func output(program, rest string) string {
	words := strings.Fields(rest[:min(len(rest), 4096)])
	named := strings.HasPrefix(program, "wget") || program == "aria2c"
	for i, w := range words {
		switch {
		case i+1 < len(words) && (w == "-o" || w == "--output" || w == "-outfile" || w == ">" || w == "--output-document" ||
			len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.HasSuffix(w, "o")):
			file := strings.Trim(words[i+1], `"'`)
			if len(file) > 2 && !strings.HasPrefix(file, "-") && !strings.Contains(file, "://") && file != "/dev/null" {
				return file
			}
			named = named || strings.Contains(file, "://")
		case len(w) > 3 && w[0] == '>':
			return strings.Trim(w[1:], `"'`)
		case w == "--remote-name":
			named = true
		case strings.HasPrefix(w, "--output="), strings.HasPrefix(w, "--output-document="):
			_, file, _ := strings.Cut(w, "=")
			return strings.Trim(file, `"'`)
		}
	}
	for _, w := range words {
		w = strings.Trim(w, `"'`)
		if _, path, ok := strings.Cut(w, "://"); ok && named {
			path, _, _ = strings.Cut(path, "?")
			if _, file, ok := strings.Cut(path, "/"); ok && len(base(file)) > 3 {
				return base(file)
			}
		}
	}
	return ""
}

func decodes(program, rest string) bool {
	if !decoders.Has(program) {
		return false
	}
	switch program {
	case "base64", "base32":
		return strings.Contains(rest, "-d") || strings.Contains(rest, "--decode")
	case "xxd":
		return strings.Contains(rest, "-r")
	case "openssl":
		return strings.Contains(rest, "-d")
	case "certutil":
		return strings.Contains(rest, "-decode")
	}
	return true
}

// sending looks for a request with a body, or with the output of a command in
// its URL, beside what reads credentials or the environment.
func (s *scan) sending() {
	send := -1
	for _, word := range [...]string{"curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod", "| nc ", "|nc "} {
		if i := strings.Index(s.lower, word); i >= 0 && (send < 0 || i < send) {
			send = i
		}
	}
	if send < 0 || !carries(s.lower) {
		return
	}
	read := dumped.find(s.lower)
	if read == nil {
		read = credentials.find(s.lower)
	}
	if read != nil {
		s.add(SendsSecrets, min(send, read[0]), max(send+4, read[1]))
	}
}

func carries(line string) bool {
	for _, mark := range [...]string{" -d", " --data", " -f ", " -f@", " -sf ", " --form", " -t ", " --upload-file", "--post-data", "--post-file", "-body", "| nc ", "|nc ", "?$(", "=$(", "/$(", "?`", "=`"} {
		if strings.Contains(line, mark) {
			return true
		}
	}
	return false
}
