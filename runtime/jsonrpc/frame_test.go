package jsonrpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// frames reads all of r: the lines, in quotes, and the errors.
func frames(t testing.TB, r io.Reader, max int) (got []string) {
	t.Helper()
	f := jsonrpc.NewFramer(r, max)
	for range 10_000 {
		frame, err := f.Next()
		var e *jsonrpc.Error
		switch {
		case err == nil:
			text := fmt.Sprintf("%q", frame.Bytes)
			if frame.Skipped > 0 {
				text = fmt.Sprintf("%d %s", frame.Skipped, text)
			}
			if string(frame.Line) != string(frame.Bytes)+"\n" {
				t.Fatalf("line %q of frame %q", frame.Line, frame.Bytes)
			}
			got = append(got, text)
		case errors.As(err, &e):
			got = append(got, e.Reason.String())
		default:
			got = append(got, err.Error())
			if _, again := f.Next(); again != err {
				t.Fatalf("after %v: %v", err, again)
			}
			return got
		}
	}
	t.Fatal("no end")
	return nil
}

func TestFramer(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", []string{"EOF"}},
		{"a\nbc\n", []string{`"a"`, `"bc"`, "EOF"}},
		{"a\r\nb\r\r\n\r\n \t\r\n\n\nc\n", []string{`"a"`, `"b\r"`, `"c"`, "EOF"}},
		{"a\rb\n", []string{`"a\rb"`, "EOF"}},
		{"a\nb", []string{`"a"`, "partial", "EOF"}},
		{"a\n \r", []string{`"a"`, "EOF"}},
		{"12345678\n", []string{`"12345678"`, "EOF"}},
		{"12345678\r\n", []string{`"12345678"`, "EOF"}},
		{"123456789\nb\nc\n", []string{"too-long", `10 "b"`, `"c"`, "EOF"}},
		{"123456789\r\nb\n", []string{"too-long", `11 "b"`, "EOF"}},
		{"a\n" + strings.Repeat("x", 50_000) + "\nb\n", []string{`"a"`, "too-long", `50001 "b"`, "EOF"}},
		{strings.Repeat("x", 50_000), []string{"too-long", "EOF"}},
		{strings.Repeat("x", 50_000) + "\n" + strings.Repeat("y", 20_000) + "\nb\n", []string{"too-long", "too-long", `70002 "b"`, "EOF"}},
		{"\x00\xff\n", []string{`"\x00\xff"`, "EOF"}},
	} {
		for name, r := range map[string]io.Reader{
			"whole":     strings.NewReader(c.in),
			"bytes":     iotest.OneByteReader(strings.NewReader(c.in)),
			"halves":    iotest.HalfReader(strings.NewReader(c.in)),
			"with EOF":  iotest.DataErrReader(strings.NewReader(c.in)),
			"bytes+EOF": iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(c.in))),
		} {
			if got := frames(t, r, 8); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%.40q, %s: got %q, want %q", c.in, name, got, c.want)
			}
		}
	}
}

func TestFrameOffset(t *testing.T) {
	const in = "a\n\r\n123456789\nbc\r\n \nd\n"
	f := jsonrpc.NewFramer(iotest.OneByteReader(strings.NewReader(in)), 8)
	var got []string
	for {
		frame, err := f.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			got = append(got, in[frame.Offset:][:len(frame.Bytes)])
		}
	}
	if want := []string{"a", "bc", "d"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type broken int

func (r broken) Read(p []byte) (int, error) {
	if r > 0 {
		return len(p) + int(r), nil
	}
	return int(r), nil
}

func TestFramerReaders(t *testing.T) {
	if got := frames(t, iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a\nb\n"))), 8); !reflect.DeepEqual(got, []string{"timeout"}) {
		t.Errorf("%q", got)
	}
	for _, r := range []broken{-1, 0, 1} {
		f := jsonrpc.NewFramer(r, 8)
		if _, err := f.Next(); err == nil {
			t.Errorf("%d: no error", r)
		}
	}
}

// endless writes one line that does not end.
type endless struct{ read int }

func (r *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if r.read += len(p); r.read > 64<<20 {
		return len(p), io.EOF
	}
	return len(p), nil
}

func TestFramerMemory(t *testing.T) {
	f := jsonrpc.NewFramer(new(endless), 1<<20)
	if _, err := f.Next(); err == nil {
		t.Fatal("no error")
	}
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := f.Next(); err != io.EOF {
			t.Fatal(err)
		}
	})
	if allocated > 100 {
		t.Errorf("%.0f allocations to pass over a line", allocated)
	}
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n123456789\nc"), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, size byte) {
		const max = 8
		var want []string
		skipped := 0
		rest := b
		for {
			line, more, ok := bytes.Cut(rest, []byte("\n"))
			if !ok {
				switch {
				case len(line) > max+1:
					want = append(want, "too-long")
				case strings.Trim(string(line), " \t\r") != "":
					want = append(want, "partial")
				}
				break
			}
			body := bytes.TrimSuffix(line, []byte("\r"))
			switch {
			case len(body) > max:
				want = append(want, "too-long")
				skipped += len(line) + 1
			case strings.Trim(string(body), " \t\r") == "":
			case skipped > 0:
				want = append(want, fmt.Sprintf("%d %q", skipped, body))
				skipped = 0
			default:
				want = append(want, fmt.Sprintf("%q", body))
			}
			rest = more
		}
		got := frames(t, &pieces{b, int(size)%7 + 1}, max)
		if want = append(want, "EOF"); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// pieces reads n bytes at a time.
type pieces struct {
	b []byte
	n int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b[:min(r.n, len(r.b))])
	r.b = r.b[n:]
	return n, nil
}
