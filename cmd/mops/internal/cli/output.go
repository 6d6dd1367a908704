package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"

	flag "github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// format is how a command prints data.
type format string

const (
	table   format = "table" // text for people, whether it has columns or not
	jsonOut format = "json"
	yamlOut format = "yaml"
)

var formats = []format{table, jsonOut, yamlOut}

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "FORMAT" }

// Set reads a format.
func (f *format) Set(text string) error {
	for _, known := range formats {
		if text == string(known) {
			*f = known
			return nil
		}
	}
	return errors.New("there is no such format, but table, json and yaml")
}

// defineOutput defines the flags that all commands have; the last one counts.
func (a *App) defineOutput(flags *flag.FlagSet) {
	a.format = table
	flags.VarP(&a.format, "output", "o", "print data as `FORMAT`: table, json or yaml")
	flags.BoolFunc("json", "print JSON, for programs: --output json", func(text string) error {
		on, err := strconv.ParseBool(text)
		if on {
			a.format = jsonOut
		}
		return err
	})
}

// inFormat runs a command so that what it prints has the format that was asked for.
// Commands write JSON, and YAML is made of that, so both have the same fields.
func (a *App) inFormat(act func() error) error {
	a.JSON = a.format != table
	if a.format != yamlOut {
		return act()
	}
	stdout, text := a.Stdout, a.Text
	from, to := io.Pipe()
	a.Stdout, a.Text = to, NewTextWriter(to)
	ended := make(chan error, 1)
	go func() {
		err := toYAML(from, stdout)
		from.CloseWithError(err)
		ended <- err
	}()
	err := act()
	a.Text.Flush()
	to.Close()
	a.Stdout, a.Text = stdout, text
	if failed := <-ended; err == nil && !errors.Is(failed, syscall.EPIPE) {
		err = failed
	}
	return err
}

// toYAML writes each JSON value that it reads as a document of YAML.
func toYAML(from io.Reader, to io.Writer) error {
	decoder := json.NewDecoder(from)
	decoder.UseNumber()
	for before := ""; ; before = "---\n" {
		node, err := nodeOf(decoder)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("this cannot be written as YAML: %w", err)
		}
		var text bytes.Buffer
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2)
		if err := errors.Join(encoder.Encode(node), encoder.Close()); err != nil {
			return fmt.Errorf("this cannot be written as YAML: %w", err)
		}
		if _, err := fmt.Fprintf(to, "%s%s", before, EscapeControls(text.Bytes())); err != nil {
			return err
		}
	}
}

// nodeOf reads a value: its fields keep their order, and its numbers all digits.
func nodeOf(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode}
	switch v := token.(type) {
	case json.Delim:
		if node.Kind = yaml.MappingNode; v == '[' {
			node.Kind = yaml.SequenceNode
		}
		for decoder.More() && err == nil {
			var part *yaml.Node
			part, err = nodeOf(decoder)
			node.Content = append(node.Content, part)
		}
		if err == nil {
			_, err = decoder.Token()
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	case json.Number:
		node.Value = v.String()
	case string:
		if node.SetString(v); string(EscapeControls([]byte(v))) != v || strings.ContainsAny(v, "\u2028\u2029\ufeff") {
			node.Style = yaml.DoubleQuotedStyle // in which they can be escaped
		}
	default:
		err = node.Encode(v)
	}
	return node, err
}
