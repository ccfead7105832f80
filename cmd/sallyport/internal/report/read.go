package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxReport bounds a saved report, in bytes.
const maxReport = 64 << 20

// Read reads a report that the json output wrote. Members that it does not
// know are ignored, those that are absent or null are empty. Another schema
// version is an error: its fields may mean something else.
func Read(r io.Reader) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	if len(data) > maxReport {
		return nil, fmt.Errorf("the report is larger than %d MiB; scan a smaller target and convert that report", maxReport>>20)
	}
	var head struct {
		SchemaVersion any `json:"schemaVersion"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, describe(err)
	}
	switch v := head.SchemaVersion.(type) {
	case nil:
		return nil, errors.New("no schemaVersion: this is not a report of sallyport; write one with: sallyport scan --format json")
	case string:
		if v != schemaVersion {
			return nil, fmt.Errorf("the report's schemaVersion is %.40q; this sallyport reads %q: convert it with the sallyport that wrote it, or scan again", v, schemaVersion)
		}
	default:
		return nil, fmt.Errorf("the report's schemaVersion is no string; this sallyport reads %q", schemaVersion)
	}
	report := &Report{}
	if err := json.Unmarshal(data, report); err != nil {
		return nil, describe(err)
	}
	report.fill()
	return report, nil
}

// describe says where a saved report is wrong without quoting it.
func describe(err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("not a report of sallyport: %s cannot be a JSON %s (byte %d)", wrong.Field, wrong.Value, wrong.Offset)
	case errors.As(err, &syntax):
		return fmt.Errorf("not a report of sallyport: no valid JSON at byte %d", syntax.Offset)
	}
	return errors.New("not a report of sallyport: no valid JSON")
}
