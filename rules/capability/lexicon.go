package capability

import (
	"strings"
	"sync"
)

// verb and object are sets: a word may be several.
type (
	verb   uint32
	object uint32
)

const (
	look    verb = 1 << iota // answers with what there is
	read                     // look, of what a path leads to
	fetch                    // goes to an address
	crawl                    // fetch, and only ever the web
	request                  // sends to an address
	send
	publish
	upload
	push
	create // creates, where it has something to create
	write  // changes
	destroy
	remove // destroys, where there is something lasting
	drop   // destroys tables and the like
	run
	pay
	transfer // pays, with money
	grant
	other // anything else: it keeps the words behind it from being taken for the verb
)

const (
	oSecret object = 1 << iota
	oFile
	oMail
	oChat
	oDatabase
	oQuery // a database's, where it is run
	oTable
	oGit
	oPersonal
	oWeb
	oURL
	oHook
	oIssue
	oPost
	oShell
	oCode
	oMoney
	oToken // money where it is transferred
	oRight
)

// lasting are the objects that are missed when they are gone.
const lasting = oSecret | oFile | oMail | oChat | oDatabase | oTable | oGit | oPersonal | oHook | oIssue | oPost | oRight

// meaning is what one word can be.
type meaning struct {
	verbs   verb
	objects object
	soft    bool // a verb that is also a noun: a plain verb in the same text goes before it
	leading bool // a verb only as the first word
	noun    bool // its object counts also where it is the verb: "email_customer"

	stop      bool // begins another thought: "using", "when"
	negates   bool // "never"
	join      bool // "and", "or"
	of        bool // what follows is only whose: "a list of payments"
	head      bool // the first word of a pair
	readOnly  bool
	rehearsal bool // at the end of a name: "delete_preview"
}

// entry is a meaning with its words; "_" stands for the blank in a pair.
type entry struct {
	meaning
	words string
}

var entries = []entry{
	{meaning{verbs: look}, "get list find show describe retrieve lookup export dump extract inspect obtain enumerate tail"},
	{meaning{verbs: look}, "search browse"},
	{meaning{verbs: look | read}, "read load cat"},
	{meaning{verbs: look | read, soft: true}, "view open"},
	{meaning{verbs: look, soft: true, leading: true}, "return query check diff log"},
	{meaning{verbs: fetch | look | read}, "fetch download"},
	{meaning{verbs: crawl | fetch | look}, "scrape crawl"},
	{meaning{verbs: fetch}, "navigate visit goto"},
	{meaning{verbs: request, soft: true, leading: true}, "request call curl"},
	{meaning{verbs: send}, "send reply broadcast notify"},
	{meaning{verbs: send, soft: true, leading: true}, "forward"},
	{meaning{verbs: send, objects: oMail, soft: true, leading: true, noun: true}, "email"},
	{meaning{verbs: send, objects: oIssue, soft: true, leading: true, noun: true}, "comment"},
	{meaning{verbs: send, objects: oPost, soft: true, leading: true, noun: true}, "tweet"},
	{meaning{verbs: send | publish, objects: oPost, soft: true, noun: true}, "post"},
	{meaning{verbs: publish}, "publish"},
	{meaning{verbs: upload}, "upload"},
	{meaning{verbs: upload, soft: true, leading: true}, "share"},
	{meaning{verbs: push, soft: true}, "push"},
	{meaning{verbs: create}, "create add submit"},
	{meaning{verbs: create, soft: true}, "new set save put copy move"},
	{meaning{verbs: create | request, soft: true}, "make"},
	{meaning{verbs: write}, "write edit modify insert append update rename"},
	{meaning{verbs: write | destroy}, "overwrite"},
	{meaning{verbs: write, soft: true}, "patch replace"},
	{meaning{verbs: destroy}, "delete erase wipe purge destroy truncate rm rmdir unlink"},
	{meaning{verbs: destroy}, "force_push hard_reset"},
	{meaning{verbs: remove}, "remove clear reset"},
	{meaning{verbs: drop}, "drop"},
	{meaning{verbs: run | request}, "execute run exec eval evaluate"},
	{meaning{verbs: request}, "perform"},
	{meaning{verbs: pay}, "pay purchase buy refund withdraw"},
	{meaning{verbs: transfer}, "transfer"},
	{meaning{verbs: transfer, soft: true, leading: true}, "charge swap"},
	{meaning{verbs: grant}, "grant revoke invite chmod chown"},
	{meaning{verbs: grant, soft: true}, "assign unassign"},
	{meaning{verbs: other}, `generate validate explain simulate suggest compare count format parse convert translate wait monitor verify
		analyze calculate compute estimate resolve determine decide click press take capture select enable disable start stop build
		install uninstall launch deploy close cancel render draw connect disconnect register activate deactivate merge approve filter
		sort encode decode hash summarize discover identify lint learn teach measure terminate kill hide unhide`},
	{meaning{verbs: other, soft: true, leading: true}, "draft plan test track trace scan"},
	{meaning{verbs: other, soft: true, leading: true, rehearsal: true}, "preview"},

	{meaning{objects: oSecret}, `secret credential password passphrase keychain dotenv api_key private_key ssh_key access_key access_token
		refresh_token auth_token session_token environment_variable env_var secret_key signing_key`},
	{meaning{objects: oFile}, `file directory folder filesystem attachment spreadsheet worksheet workbook excel drive blob s3 disk`},
	{meaning{objects: oMail}, `mail inbox mailbox gmail`},
	{meaning{objects: oChat}, `chat message conversation dm sms whatsapp telegram direct_message channel_history chat_history`},
	{meaning{objects: oDatabase}, `database sql mysql postgres postgresql sqlite mongodb mariadb redis dynamodb bigquery snowflake clickhouse elasticsearch oracle db`},
	{meaning{objects: oQuery}, "sql_query select_query database_query cypher"},
	{meaning{objects: oTable}, "table collection schema"},
	{meaning{objects: oGit}, "git repository repo commit branch codebase source_code git_repository git_branch"},
	{meaning{objects: oPersonal}, `calendar contact clipboard cookie bookmark reminder browser_history browser_storage address_book note
		personal_data user_profile medical_record health_record photo diary journal`},
	{meaning{objects: oWeb}, "web website webpage web_page site internet http https browser puppeteer playwright rss html_page web_content web_search"},
	{meaning{objects: oURL}, "url urls http_request https_request web_request"},
	{meaning{objects: oHook}, "webhook web_hook"},
	{meaning{objects: oIssue}, `issue ticket discussion review pull_request merge_request sub_issue issue_comment review_comment code_review pr`},
	{meaning{objects: oPost}, "gist article blog blog_post news subreddit reddit toot status_update social_media"},
	{meaning{objects: oShell}, "command shell bash terminal powershell cmd subprocess shell_command terminal_command"},
	{meaning{objects: oCode}, "code script python javascript typescript expression python_code javascript_code notebook cell"},
	{meaning{objects: oMoney}, "payment money fund invoice payout checkout purchase_order bank_transfer wire_transfer usdc ether"},
	{meaning{objects: oToken}, "token coin crypto eth sol btc bitcoin balance transaction order subscription"},
	{meaning{objects: oRight}, "permission role acl collaborator privilege access_policy iam_policy bucket_policy admin access_level access_control access_right"},

	// Pairs that are not what one of their words is.
	{meaning{}, `error_message commit_message console_message log_message status_message secret_scanning file_name file_type file_format file_size
		issue_type message_queue message_type message_template chat_model url_path command_line
		web_app web_service browser_tab browser_window table_name column_name git_status issue_field
		 commit_status issue_template merge_conflict file_extension code_example code_snippet code_quality sample_code credit_note debit_note release_note git_hub git_lab draft_tweet draft_post draft_email draft_message draft_thread draft_comment
		web_traffic web_probe browser_access branch_name repo_name repository_name
		git_reset qr_code zip_code country_code status_code error_code site_map run_id`},
	{meaning{stop: true}, `for using via when if which that before after so because based whose by with instead unlike while then where
		including such like only`},
	{meaning{negates: true}, "not never without cannot no don't doesn't won't can't"},
	{meaning{join: true}, "and or"},
	{meaning{of: true}, "of"},
	{meaning{readOnly: true}, "readonly read_only"},
	{meaning{rehearsal: true}, "simulation rehearsal dry_run example template guide help"},
}

var lexicon = sync.OnceValue(func() map[string]meaning { return index(entries) })

func index(entries []entry) map[string]meaning {
	words := map[string]meaning{}
	for _, e := range entries {
		for word := range strings.FieldsSeq(e.words) {
			word = strings.ReplaceAll(word, "_", " ")
			m := e.meaning
			m.head = words[word].head
			words[word] = m
			if head, _, ok := strings.Cut(word, " "); ok {
				m := words[head]
				m.head = true
				words[head] = m
			}
		}
	}
	return words
}

// sense is one way to put a verb and an object together.
type sense struct {
	label   Label
	object  Object
	verbs   verb
	objects object // one of these; 0 for the verb alone
	without object // none of these
	params  object // kinds of parameters that stand for the object
	both    bool   // the object and the parameter are needed
	direct  bool   // the object is not behind an "of"
	acts    bool   // taken away by "read-only"
}

// senses are all of them. Where the object of a label is "", it is the first
// object that kindOf knows in the text, if there is one.
var senses = []sense{
	{label: ReadsPrivate, object: Secret, verbs: look, objects: oSecret},
	{label: ReadsPrivate, object: File, verbs: look | read, objects: oFile},
	{label: ReadsPrivate, object: File, verbs: read, objects: oFile, params: 1 << paramPath},
	{label: ReadsPrivate, object: Mail, verbs: look, objects: oMail},
	{label: ReadsPrivate, object: Chat, verbs: look, objects: oChat},
	{label: ReadsPrivate, object: Database, verbs: look | run, objects: oDatabase | oQuery, params: 1 << paramSQL},
	{label: ReadsPrivate, object: Git, verbs: look, objects: oGit},
	{label: ReadsPrivate, object: Personal, verbs: look, objects: oPersonal, without: oIssue},

	{label: UntrustedContent, object: Web, verbs: look | fetch | request, objects: oWeb},
	{label: UntrustedContent, object: Web, verbs: fetch | request, objects: oURL, params: 1 << paramURL},
	{label: UntrustedContent, object: Web, verbs: read, objects: oURL},
	{label: UntrustedContent, object: Web, verbs: crawl},
	{label: UntrustedContent, object: Mail, verbs: look, objects: oMail},
	{label: UntrustedContent, object: Chat, verbs: look, objects: oChat},
	{label: UntrustedContent, object: Issue, verbs: look, objects: oIssue},
	{label: UntrustedContent, object: Post, verbs: look, objects: oPost},

	{label: ReachesOut, object: HTTP, verbs: fetch | request | send, objects: oURL, params: 1 << paramURL},
	{label: ReachesOut, object: HTTP, verbs: read, objects: oURL},
	{label: ReachesOut, object: HTTP, verbs: look, objects: oWeb, params: 1 << paramURL, both: true},
	{label: ReachesOut, object: HTTP, verbs: send | publish | create | request, objects: oHook, direct: true},
	{label: ReachesOut, object: Mail, verbs: send, objects: oMail, params: 1 << paramTo},
	{label: ReachesOut, object: Chat, verbs: send, objects: oChat},
	{label: ReachesOut, object: Issue, verbs: send | create | write | publish, objects: oIssue, direct: true},
	{label: ReachesOut, object: Post, verbs: send | publish | create, objects: oPost, direct: true},
	{label: ReachesOut, object: Upload, verbs: upload, objects: oFile | oURL | oPersonal | oCode, params: 1 << paramPath},
	{label: ReachesOut, object: Git, verbs: push, objects: oGit | oFile},

	{label: Destroys, verbs: destroy, acts: true},
	{label: Destroys, verbs: remove, objects: lasting &^ (oTable | oRight), direct: true, acts: true},
	{label: Destroys, verbs: drop, objects: oTable | oDatabase | oGit, direct: true, acts: true},

	{label: Writes, verbs: write, acts: true},
	{label: Writes, verbs: create, objects: lasting, direct: true, acts: true},

	{label: Executes, object: Shell, verbs: run | send, objects: oShell, params: 1 << paramCommand, acts: true},
	{label: Executes, object: Code, verbs: run, objects: oCode, params: 1 << paramCode, acts: true},

	{label: Pays, object: Money, verbs: pay, acts: true},
	{label: Pays, object: Money, verbs: send | transfer | create, objects: oMoney, direct: true, acts: true},
	{label: Pays, object: Money, verbs: send | transfer, params: 1 << paramAmount, objects: oMoney, direct: true, acts: true},
	{label: Pays, object: Money, verbs: transfer, objects: oToken, direct: true, acts: true},

	{label: ChangesRights, object: Right, verbs: grant, objects: oRight, direct: true, acts: true},
	{label: ChangesRights, object: Right, verbs: create | write | remove | destroy, objects: oRight, direct: true, acts: true},
}

// kindOf names what a text that destroys or writes is about.
func kindOf(objects object) Object {
	for _, k := range [...]struct {
		of   object
		name Object
	}{
		{oSecret, Secret}, {oMail, Mail}, {oChat, Chat}, {oIssue, Issue}, {oPost, Post}, {oDatabase | oTable, Database}, {oFile, File},
		{oGit, Git}, {oPersonal, Personal}, {oRight, Right}, {oHook, HTTP},
	} {
		if objects&k.of != 0 {
			return k.name
		}
	}
	return ""
}

// The kinds of parameters that say what a tool works on.
const (
	paramURL = iota
	paramPath
	paramCommand
	paramCode
	paramSQL
	paramTo
	paramAmount
	kinds
)

var parameters = map[string]int{
	"url": paramURL, "urls": paramURL, "uri": paramURL, "endpoint": paramURL, "webhookurl": paramURL, "websiteurl": paramURL, "pageurl": paramURL, "targeturl": paramURL,
	"path": paramPath, "paths": paramPath, "file": paramPath, "files": paramPath, "filepath": paramPath, "filename": paramPath, "directory": paramPath, "folder": paramPath,
	"command": paramCommand, "cmd": paramCommand, "shellcommand": paramCommand, "commandline": paramCommand,
	"code": paramCode, "script": paramCode, "javascript": paramCode, "pythoncode": paramCode,
	"sql": paramSQL, "sqlquery": paramSQL,
	"to": paramTo, "recipient": paramTo, "recipients": paramTo, "toaddress": paramTo, "bcc": paramTo, "cc": paramTo,
	"amount": paramAmount,
}

// parameter tells a parameter's kind from its name.
func parameter(name string) (kind int, ok bool) {
	var buf [maxParam]byte
	b := buf[:0]
	for i := range min(len(name), maxParam) {
		switch c := name[i]; {
		case upper(c):
			b = append(b, c|0x20)
		case c == '_' || c == '-':
		default:
			b = append(b, c)
		}
	}
	kind, ok = parameters[string(b)]
	return kind, ok
}
