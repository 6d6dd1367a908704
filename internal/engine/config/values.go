package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// maxRetries is far above any sensible number and catches a slip of the key.
const maxRetries = 1000

func sameText(text string) (any, error) { return text, nil }

func textToBool(text string) (any, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return nil, fmt.Errorf("neither yes nor no; write true or false (1, 0, yes, no, on and off work too)")
}

func textToInt(text string) (any, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("not a whole number; write one from 0 to %d", maxRetries)
	}
	return n, nil
}

// readText makes sure of a string that can be shown.
func readText(value any, example string) (string, error) {
	s, ok := value.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("%s where text belongs; write text in quotes, such as %q", typeName(value), example)
	case s == "":
		return "", fmt.Errorf("empty; write a value such as %q, or leave the setting out", example)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("it has control characters in it; write a value such as %q", example)
	case strings.TrimSpace(s) != s:
		return "", fmt.Errorf("it begins or ends with a space; leave the space out")
	}
	return s, nil
}

// A scheme as RFC 3986, section 3.1 has it, in lower case.
var schemeAndRest = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://(.*)$`)

// A path such as C:/data.
var driveLetter = regexp.MustCompile(`^[A-Za-z]:[/\\]`)

func readRoot(value any) (string, error) {
	s, err := readText(value, "file:///data/mops")
	if err != nil {
		return "", err
	}
	parts := schemeAndRest.FindStringSubmatch(s)
	if parts == nil {
		if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") {
			return "", fmt.Errorf("not a URI; for a folder of this machine write %q", "file://"+s)
		}
		return "", fmt.Errorf("not a URI; write one such as %q, %q or %q",
			"file:///data/mops", "adls://account/container/path", "s3://bucket/path")
	}
	scheme, rest := parts[1], parts[2]
	switch {
	case scheme == "file" && !strings.HasPrefix(rest, "/") && rest != "~" && !strings.HasPrefix(rest, "~/") && !driveLetter.MatchString(rest):
		return "", fmt.Errorf("the path is not absolute; write three slashes, such as %q, or begin at home with %q",
			"file:///"+rest, "file://~/.mops")
	case scheme != "mem" && strings.Trim(rest, "/") == "" && rest != "/":
		return "", fmt.Errorf("nothing follows %q; write a whole URI such as %q", scheme+"://", "file:///data/mops")
	}
	return s, nil
}

// readName reads the name of a pipeline, or of an executor, which follows the same rules.
func readName(example string) func(any) (string, error) {
	return func(value any) (string, error) {
		s, err := readText(value, example)
		if err != nil {
			return "", err
		}
		return s, nameFault(memokey.ValidPipeline(s))
	}
}

// nameFault is what is wrong with a name that the message has already.
func nameFault(err error) error {
	e, ok := errors.AsType[*memokey.NameError](err)
	if !ok {
		return err
	}
	return fmt.Errorf("%s; try %q", e.Reason, e.Try)
}

func readBool(value any) (bool, error) {
	b, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("%s where true or false belongs; write true or false without quotes", typeName(value))
	}
	return b, nil
}

func readPolicy(value any) (code.Policy, error) {
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s where text belongs; write one of %q in quotes", typeName(value), code.Policies)
	}
	if p := code.Policy(strings.TrimSpace(s)); slices.Contains(code.Policies, p) {
		return p, nil
	}
	return "", fmt.Errorf("not what can become of results of other code; write one of %q", code.Policies)
}

func readTimeout(value any) (time.Duration, error) {
	s, ok := value.(string)
	if !ok {
		if n, ok := value.(int64); ok {
			return 0, fmt.Errorf("a number without a unit; write a duration in quotes, such as %q", fmt.Sprintf("%ds", n))
		}
		return 0, fmt.Errorf("%s where a duration belongs; write one in quotes, such as %q", typeName(value), "2h")
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	switch {
	case err != nil:
		return 0, fmt.Errorf("not a duration; write one such as %q, %q or %q, or %q for no timeout", "90s", "2h", "1h30m", "0s")
	case d < 0:
		return 0, fmt.Errorf("less than nothing; write a duration such as %q, or %q for no timeout", "2h", "0s")
	}
	return d, nil
}

// readTTL reads a time to live, which people count in days: the lifecycle rules
// of all the large providers do.
func readTTL(value any) (time.Duration, error) {
	if s, ok := value.(string); ok {
		if days, ok := strings.CutSuffix(strings.TrimSpace(s), "d"); ok {
			n, err := strconv.ParseInt(days, 10, 64)
			if err == nil && n >= 0 && n <= maxDays {
				return time.Duration(n) * 24 * time.Hour, nil
			}
		}
	}
	d, err := readTimeout(value)
	if err != nil {
		return 0, fmt.Errorf("no time to live; write days or another duration in quotes, such as %q or %q, or %q where the store keeps everything", "30d", "36h", "0d")
	}
	return d, nil
}

// maxDelay is the longest first pause; later ones are up to a hundredfold.
const maxDelay = 24 * time.Hour

func readDelay(value any) (time.Duration, error) {
	d, err := readTimeout(value)
	if err != nil || d > maxDelay {
		return 0, fmt.Errorf("no pause before another try; write a duration of at most 24 hours in quotes, such as %q or %q", "5s", "1m")
	}
	return d, nil
}

// maxDays is a hundred years.
const maxDays = 36525

func readRetries(value any) (int, error) {
	n, ok := value.(int64)
	if !ok {
		return 0, fmt.Errorf("%s where a number belongs; write a whole number from 0 to %d, without quotes", typeName(value), maxRetries)
	}
	if n < 0 || n > maxRetries {
		return 0, fmt.Errorf("out of range; write a whole number from 0 to %d", maxRetries)
	}
	return int(n), nil
}

// typeName is what a person calls the type of a TOML value.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "a date or time"
	}
}
