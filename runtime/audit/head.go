package audit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Head is where a log stood at its last checkpoint, kept in the state
// directory: a log that does not reach there was cut.
type Head struct {
	Log  string    `json:"log"`
	Path string    `json:"path"`
	Seq  uint64    `json:"seq"`
	Hash string    `json:"hash"`
	Time time.Time `json:"time"`
}

func writeHead(stateDir string, h Head) error {
	content, err := json.Marshal(h)
	if err != nil {
		return err
	}
	dir := filepath.Join(stateDir, headsDir)
	path := filepath.Join(dir, h.Log+".json")
	err = place(path, append(content, '\n'), os.Rename)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = place(path, append(content, '\n'), os.Rename)
		}
	}
	return err
}

// Heads reads what a state directory remembers, by the log's id. A file that
// is no head is left out.
func Heads(stateDir string) (map[string]Head, error) {
	entries, err := os.ReadDir(filepath.Join(stateDir, headsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	heads := map[string]Head{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !isHex(id, 32) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(stateDir, headsDir, e.Name()))
		if err != nil {
			return nil, err
		}
		var h Head
		if json.Unmarshal(content, &h) == nil && h.Log == id {
			heads[id] = h
		}
	}
	return heads, nil
}
