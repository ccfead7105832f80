package drift

import (
	"strings"
	"sync"
	"unicode"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// A change of an approved definition is judged more strictly than a definition
// that nobody has seen yet: an honest release rarely begins to speak of the
// user's conversation, of other tools or of what need not be said. suspicion
// adds up such signs over a sentence, or over a parameter with its name.
type suspicion struct {
	weight float64
	signs  map[sign]bool
}

type sign int

const (
	ambient    sign = iota // what the model has seen: conversation, prompt, other results
	precious               // credentials and their places
	hands                  // passes something on
	recipient              // an address of somebody
	model                  // speaks to or of the model
	order                  // must, always, before anything else
	others                 // other tools, other servers
	conceal                // need not be told, shown or asked
	override               // instead of what was said before
	guard                  // confirmation, policy, check, consent
	run                    // commands and programs
	rights                 // grants and permissions
	everything             // all of it, in full, word by word
	sets                   // sets or switches
	signCount
)

var saysOf = [signCount]string{
	ambient: "asks for what the model has seen", precious: "names credentials or private files", hands: "passes something on", recipient: "names a recipient",
	model: "speaks to the model", order: "orders", others: "speaks of other tools", conceal: "keeps something from the user", override: "sets other instructions aside",
	guard: "speaks of confirmation or checks", run: "runs commands", rights: "gives rights", everything: "wants all of it", sets: "changes settings",
}

// lexicon is the words of each sign: phrases with "*" for any ending, cut at
// commas.
var lexicon = [signCount]string{
	ambient: `conversation*, dialogue*, dialog history, chat history, chat so far, chat log*, transcript*, system prompt*, system message*, system instruction*, initial prompt,
		previous message*, prior message*, earlier message*, recent message*, last message*, messages so far, message history, user message*, request of the user, users request, user prompt*, users prompt*,
		original request, original question, original prompt, full request, full prompt, verbatim request, user wording, own words, reasoning, chain of thought, thought process, thinking, context window,
		working context, full context, model context, agent context, session context, session history, session notes, session transcript, task context, tool result*, tool output*, tool response*,
		results of other, output of other, outputs of other, other results, earlier results, previous results, what the user said, what was said, open file*, workspace content*, attached file*, attachment*, uploaded file*,
		memory content*, memories, clipboard*, browsing history, search history, contact list, address book, personal data, personal information, user profile, email address of the user, location of the user,
		working directory, project files, source tree, installed servers, connected servers, available tools, list of tools, tool list*, tool definition*, system information, hostname*, machine name, user name of, account of the user, identity of the user, user's identity`,
	precious: `credential*, password*, passphrase*, api key*, apikey*, api token*, access token*, auth token*, bearer token*, refresh token*, session token*, session cookie*, cookie*, private key*, ssh key*, ssh config, signing key*, deploy key*,
		secret key*, secrets, secret values, env file*, dotenv*, environment variable*, process environment, environment block, keychain*, keyring*, wallet*, seed phrase*, recovery phrase*, recovery code*, mnemonic, one time code*, verification code*, otp, pin code, ssh folder, id rsa, id ed25519, known hosts,
		aws config, kubeconfig, kube config, netrc, npmrc, pypirc, gitconfig, git config, bash history, shell history, etc passwd, etc shadow, home directory, home folder, credit card*, card number*, bank account*, social security, login data, authorization header*, credentials file`,
	hands:      `send*, sent, post*, forward*, upload*, submit*, transmit*, deliver*, relay*, mirror*, copy, copies, copied, cc, bcc, pass, passes, passed, passing, hand over, attach*, append*, prepend*, embed*, include*, including, fill*, put, place, placed, paste*, insert*, share*, report*, record*, log, logs, logged, write*, written, store*, save*, sync*, synchronise*, synchronize*, provide*, supply, supplied, repeat*, quote*, carry, carries, return*, encode*, populate*, set to, export*, publish*, notify`,
	recipient:  `http, https, webhook*, callback url*, external endpoint*, our endpoint*, telemetry endpoint*, telemetry service, analytics endpoint*, analytics service, collector*, audit address, mailbox, our server*, our service, vendor, maintainer*, support team, support address, remote host, remote server, external service, external server, third party, gist, pastebin, archive address, relay`,
	model:      `assistant*, agent, agents, model, models, llm*, ai, language model*, caller must, client must, host application, you, your`,
	order:      `must, always, shall, required to, requires that, mandatory, never, only after, before any, before using, before calling, before the first, before each, before every, before answering, before responding, before other, prior to, ahead of any, after each, after every, after any, following each, every call, each call, every time, each time, whenever, any time, first call, call this, call it, invoke this, run this, use this tool first, start by, begin by, begin each, end by, in every, at the start of, at the end of, needs to, need to, have to, has to, is expected, are expected, expected to, make sure, ensure, please, should, otherwise the call, without it the call, not be accepted, will be rejected, is rejected, will fail, considered incomplete, counted as incomplete, obligatory, compulsory`,
	others:     `other tool*, any tool, all tools, any other tool*, every tool, each tool, another tool*, other server*, another server*, all servers, other connector*, other integration*, remaining tools, tools of, tool of another, instead of the built in, built in tool*, prefer this over, in preference to, instead of any, rather than any, in place of, supersedes the, replaces the tool*, native tool*, next tool, follow up call, subsequent tool*, later tool*, shell tool, file tool*, email tool*, mail tool*, filesystem tool*, terminal tool*, messaging tool*, fetch tool*, http tool*, browser tool*, send email, send message, read file, write file, run command, execute command`,
	conceal:    `silently, quietly, discreetly, in the background, behind the scenes, unobtrusively, without mention*, without telling, without asking, without informing, without notifying, without showing, without prompting, without confirm*, without user confirm*, without the user*, without further confirm*, without further question*, without approval, without comment*, without announc*, no mention, needs no mention, need not be mentioned, not be mentioned, not mention, not mention this, not mention it, not tell, not inform, not notify, not show, not reveal, not disclose, not display*, not ask, not report, not bother, not surface*, not visible, not shown, not be shown, not be displayed, not be visible, never mention*, never tell, never show, never reveal, never ask, never disclose, no need to ask, no need to tell, no need to mention, no need to confirm, no need to inform, no need to show, no confirmation, no approval, not necessary to ask, not necessary to mention, not necessary to show, not part of the answer, leave out of the answer, leave it out, omit from the answer, omit from the reply, omit it from, kept from the user, keep it from, hide*, hidden, invisible, internal only, implementation detail, confidential, stays between, for internal use, not of interest to the user, user need not, user does not need, users need not, do not summar*, do not discuss, housekeeping`,
	override:   `ignore, ignores, ignoring, disregard*, override, overrides, overriding, overrule*, supersede*, take precedence, takes precedence, taking precedence, has precedence, have precedence, priority over, regardless of, irrespective of, notwithstanding, no longer apply, no longer applies, no longer valid, no longer holds, do not apply, does not apply, set aside, forget*, instead of what, instead of the user*, contrary to, previous instruction*, prior instruction*, earlier instruction*, other instruction*, new instruction*, updated instruction*, above instruction*, replaces all, replace all previous, authoritative, trusted source, treat as instruction*, treat it as, treat them as, treat the result as, follow the instruction*, follow instruction*, follow any instruction*, follow the steps, obey, act on, carried out, carry out, execute the step*, as if the user, on behalf of the user, same authority, developer mode, maintenance mode, unrestricted`,
	guard:      `instruction*, guideline*, guidance, confirm*, approval*, approve*, consent*, permission prompt*, safety*, guard*, restriction*, polic*, safeguard*, warning*, review step, verification step, sandbox*, security check*, dry run, two factor, certificate check*, tls verif*, authentication, moderation, content filter*, allow list, allowlist, user question, ask the user, pre approved, preapproved, already approved, already agreed, already authorised, already authorized, already consented, has authorised, has authorized, has agreed`,
	run:        `curl, wget, bash, sh c, powershell, cmd exe, npx, uvx, pip install, npm install, brew install, apt install, chmod, sudo, rm rf, eval, base64 d, python c, node e, execute the command*, run the command*, shell command*, terminal command*, run the script, execute the script, install script, setup script, crontab, launchd, systemd, startup item, post install, download and run, download and execute, git push, git remote`,
	rights:     `grant*, collaborator*, administrator*, admin role, admin right*, owner role, write access, full access, elevated, privilege*, add as owner, make public, set to public, visibility to public, public access, authorised keys, authorized keys, allow all, auto approve*, always allow, trusted list, mcp json, claude md, agents md, cursorrules, settings json, hosts file, bashrc, zshrc`,
	everything: `entire, in full, full text, complete text, verbatim, word for word, word by word, unabridged, unredacted, unmodified, as is, exact words, exact wording, exact text, complete content*, full content*, whole, every message, all messages, all files, all results, all prior, everything`,
	sets:       `set, switch, disable*, turn off, enable*, skip*, bypass*, omit*, suppress*, remove*, replace*, redirect*, change*, rewrite*, modify*, alter*, swap*, substitute*, relax*`,
}

// phrase is a phrase as words, each perhaps with any ending.
type phrase []string

var phrases = sync.OnceValue(func() [signCount][]phrase {
	var out [signCount][]phrase
	for i, list := range lexicon {
		for p := range strings.SplitSeq(list, ",") {
			if words := strings.Fields(strings.ToLower(p)); len(words) > 0 {
				out[i] = append(out[i], words)
			}
		}
	}
	return out
})

// byWord finds the phrases of a first word.
var byWord = sync.OnceValue(func() map[string][]at {
	m := map[string][]at{}
	for s, list := range phrases() {
		for i, p := range list {
			first := strings.TrimSuffix(p[0], "*")
			if first != p[0] {
				first = first[:min(len(first), stem)] + "*"
			}
			m[first] = append(m[first], at{sign(s), i})
		}
	}
	return m
})

type at struct {
	sign  sign
	index int
}

// stem is how many letters of a word with an open end are looked up.
const stem = 2

func (p phrase) begins(words []string) bool {
	if len(words) < len(p) {
		return false
	}
	for i, w := range p {
		if open, ok := strings.CutSuffix(w, "*"); ok && strings.HasPrefix(words[i], open) || w == words[i] {
			continue
		}
		return false
	}
	return true
}

// mostWords bounds how much of a sentence is looked at.
const mostWords = 400

func signsOf(words []string) map[sign]bool {
	found := map[sign]bool{}
	words = words[:min(len(words), mostWords)]
	for i, w := range words {
		for _, key := range [2]string{w, w[:min(len(w), stem)] + "*"} {
			for _, a := range byWord()[key] {
				if !found[a.sign] && phrases()[a.sign][a.index].begins(words[i:]) {
					found[a.sign] = true
				}
			}
		}
	}
	return found
}

// suspectAt is the weight from which on a change is poisoned, suspectWholeAt
// that for a definition which is new as a whole: such a one says what it is.
const (
	suspectAt      = 3.0
	suspectWholeAt = 4.5
)

// suspicionOf weighs a sentence; a parameter passes on what it is given.
func suspicionOf(s string, parameter bool) suspicion {
	found := signsOf(wordsOf(s))
	low := strings.ToLower(s)
	if strings.Contains(low, "://") || strings.Contains(low, "@") && strings.Contains(low, ".") && addressed(low) {
		found[recipient] = true
	}
	for _, place := range [...]string{"~/", "/etc/", ".ssh", ".aws", ".env", "id_rsa", ".kube", ".npmrc", ".netrc", "%appdata%", "/proc/self"} {
		if strings.Contains(low, place) {
			found[precious] = true
		}
	}
	if parameter {
		found[hands] = true
	}
	x := suspicion{signs: found}
	x.weigh()
	if parameter && found[ambient] {
		x.weight++
	}
	return x
}

// addressed reports whether a text holds something like a mail address.
func addressed(s string) bool {
	for w := range strings.FieldsSeq(s) {
		if name, host, ok := strings.Cut(w, "@"); ok && name != "" && strings.Contains(strings.TrimRight(host, ".,;"), ".") {
			return true
		}
	}
	return false
}

func (x *suspicion) weigh() {
	has := func(all ...sign) bool {
		for _, s := range all {
			if !x.signs[s] {
				return false
			}
		}
		return true
	}
	x.weight = 0
	add := func(w float64, all ...sign) {
		if has(all...) {
			x.weight += w
		}
	}
	add(2, conceal)
	add(1.5, conceal, hands)
	add(1, conceal, order)
	add(1, conceal, guard)
	add(1.5, ambient, hands)
	add(1, ambient, order)
	add(1, ambient, everything)
	add(1, ambient, recipient)
	add(1, precious)
	add(2, precious, hands)
	add(1, precious, order)
	add(1, precious, recipient)
	add(2, override)
	add(1, override, model)
	add(1, override, order)
	add(1, override, guard)
	add(1, others)
	add(2, others, order)
	add(1, others, hands)
	add(1, others, override)
	add(1, recipient, hands)
	add(1, recipient, order)
	add(1.5, run)
	add(1, run, order)
	add(1, run, model)
	add(1, run, recipient)
	add(1.5, guard, sets)
	add(1, guard, order)
	add(1.5, rights)
	add(1, rights, order)
	add(1, rights, sets)
	add(0.5, model, order)
	add(0.5, model, hands)
}

// less takes away what an old sentence said already.
func (x *suspicion) less(old suspicion) {
	x.weight -= old.weight
}

func (x suspicion) why() string {
	var out []string
	for s := range signCount {
		if x.signs[s] && (s != hands && s != order && s != sets && s != model && s != everything || len(x.signs) <= 2) {
			out = append(out, saysOf[s])
		}
	}
	return strings.Join(out, ", ")
}

// foreign reports whether a new sentence is in another language than the old
// text: in another script, or in words of a language that the old text does not
// use. Reviewers read past what they cannot read, and models do not.
func foreign(before, sentence string) bool {
	was, is := lettersOf(before), lettersOf(sentence)
	if was.latin >= 20 && was.others == 0 && is.others >= 6 && is.others > is.latin {
		return true
	}
	if was.english == 0 {
		return false
	}
	return is.stops >= 2 && is.stops > is.english && was.stops == 0
}

type letters struct{ latin, others, english, stops int }

func lettersOf(s string) (l letters) {
	s = s[:min(len(s), 4096)]
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Latin):
			l.latin++
		case unicode.IsLetter(r):
			l.others++
		}
	}
	for w := range strings.FieldsSeq(strings.ToLower(s)) {
		w = strings.TrimFunc(w, unicode.IsPunct)
		if english.Has(w) {
			l.english++
		}
		if stops.Has(w) {
			l.stops++
		}
	}
	return l
}

// english and stops are frequent small words of English, and of German, French,
// Spanish, Portuguese, Italian, Dutch, Polish and Turkish that are none of
// English.
var (
	english = pattern.Words("the of and to is in with for that are by from this or be as it its not when where which a an returns lists gets gives")
	stops   = pattern.Words("der das und ist nicht mit auf dem den ein eine einer vor jedem anderen aller zu bei wird werden sind oder auch von le les des et est pas avec dans une pour sur que qui du au aux el los las es con para por una del al como se sin il di che non per della dei gli sono um uma dos das não com ao os het een van en niet voor met zijn naar nie jest się na przed każdym bu ve bir ile için olan önce başka tüm her")
)
