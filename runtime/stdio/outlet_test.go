package stdio

import (
	"bufio"
	"bytes"
	"os"
	"testing"
	"time"
)

// TestWholeLines: a line of which a part was taken is written to its end before
// what has come meanwhile.
func TestWholeLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := newOutlet(w, nil)
	long := bytes.Repeat([]byte("x"), 1<<20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.write(long, nil, nil, true) // gives up waiting after a while
	}()
	for o.mu.Lock(); !o.busy; o.mu.Lock() {
		o.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	o.mu.Unlock()
	o.write([]byte("short"), nil, nil, false)
	<-done
	lines := bufio.NewReaderSize(r, 2<<20)
	for _, want := range [][]byte{long, []byte("short")} {
		if got, err := lines.ReadBytes('\n'); err != nil || !bytes.Equal(bytes.TrimSpace(got), want) {
			t.Fatalf("a line of %d bytes, %v; want %d", len(got), err, len(want))
		}
	}
	o.close()
}
