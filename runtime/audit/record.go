// Package audit keeps the log of what the shim decided: JSON Lines, one record
// a decision, each holding the SHA-256 of the one before, with signed
// checkpoints. docs/audit.md says what that shows and what it cannot show.
//
// A record has names and digests, never an argument, a text or a secret. What
// a server or a client wrote (names, identifiers) is cut, masked and escaped
// before it is written, so that a log may be read with any program.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// Record is one decision. Write fills Seq, Prev and Hash; every member is in
// every line. Its JSON Schema is docs/schema/audit.v1.schema.json.
type Record struct {
	// Seq numbers the lines of a log from 1, through all its files.
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`    // when it was decided; written in UTC, RFC 3339 with nanoseconds
	Session string    `json:"session"` // one connection of a client with a server
	Mode    string    `json:"mode"`    // "observe", "warn", "enforce"

	// Server and Who are written once into a buffer and taken from there as
	// long as the pointer is the same: do not change what they point to.
	Server *Server `json:"server"`
	Who    *Who    `json:"who"`

	Direction string `json:"direction"` // "client-to-server", "server-to-client", "shim"
	Method    string `json:"method"`    // of the JSON-RPC message; "" where there was none
	Name      string `json:"name"`      // the tool, the prompt or the resource's URI
	// RequestID is the message's id as JSON: a number or a string; empty or
	// null without one.
	RequestID json.RawMessage `json:"requestId"`
	Protocol  string          `json:"protocol"` // the MCP version spoken: "2025-11-25"

	Decision string `json:"decision"` // "allow", "deny", "hide", "change", "drop", "stop", "start", "end"
	// Enforced is false where the mode only says what would have been done.
	Enforced bool      `json:"enforced"`
	Rule     string    `json:"rule"`   // what decided: a rule's id or a policy's; "" for "allow"
	Reason   string    `json:"reason"` // our own sentence; names in it, no texts
	Findings []Finding `json:"findings"`

	Bytes       int64  `json:"bytes"`       // of the frame that was judged
	FrameSHA256 string `json:"frameSha256"` // its digest in hex; "" where nobody asked for it
	// Duration is the time that judging took, "durationUs" in the file.
	Duration time.Duration `json:"-"`

	Prev Digest `json:"prev"` // the hash of the line before
	Hash Digest `json:"hash"`
}

// Digest is the hash of a line; its text is lower-case hex.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the digest in hex.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText takes lower-case hex alone.
func (d *Digest) UnmarshalText(text []byte) error {
	if !isHex(string(text), 2*len(d)) {
		return errors.New("no SHA-256 in hex")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// Server is what the client talked to: the registry's entry, and what was
// really started. One of Argv, URL and Image is set.
type Server struct {
	Entry   string   `json:"entry"` // id in the registry; "" without one
	Name    string   `json:"name"`  // as the client's configuration calls it
	Argv    []string `json:"argv"`
	URL     string   `json:"url"`
	Image   string   `json:"image"`
	Surface string   `json:"surface"` // "sha256:" and the digest of what it shows; "" while not known
}

// Who is on whose behalf the client spoke.
type Who struct {
	User        string   `json:"user"` // of the operating system or the token
	Client      string   `json:"client"`
	Agent       string   `json:"agent"`
	Unit        string   `json:"unit"`
	Project     string   `json:"project"`
	Environment string   `json:"environment"`
	Roles       []string `json:"roles"`
}

// Finding is one thing that a check found in the frame.
type Finding struct {
	RuleID   string `json:"ruleId"`
	Severity string `json:"severity"`
	Field    string `json:"field"` // where: "result.content[0].text"
}

// The values of Record.Direction and Record.Decision.
const (
	ClientToServer = "client-to-server"
	ServerToClient = "server-to-client"
	Shim           = "shim" // the shim itself: a session's start and end, a message of its own

	Allow  = "allow"
	Deny   = "deny"
	Hide   = "hide"   // left out of a list
	Change = "change" // forwarded in another form
	Drop   = "drop"   // not forwarded, and not answered
	Stop   = "stop"   // the server was ended
	Start  = "start"  // of a session
	End    = "end"
)

// Refused reports whether the decision kept something from its receiver.
func (r *Record) Refused() bool {
	switch r.Decision {
	case Deny, Hide, Stop:
		return true
	case Drop:
		return r.Rule != "" // an answer to what was cancelled is nobody's
	}
	return false
}
