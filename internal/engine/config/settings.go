package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Settings are what a file or the environment can say. nil means not set.
type Settings struct {
	Root           *string        // URI of the blob store
	Pipeline       *string        // one segment of a memo URI
	Executor       *string        // a name that the program gave to one of its executors
	Off            *bool          // call the function directly; keep and look up nothing
	Refresh        *bool          // compute again, whatever is kept
	ReadOnly       *bool          // write nothing to the store
	RequireResults *bool          // a miss is an error; nothing runs
	KeepErrors     *bool          // a kept error is returned again instead of running again
	CodeCheck      *code.Policy   // what becomes of a result that other code computed
	Timeout        *time.Duration // of one execution; 0 means none
	Retries        *int           // after the first execution; 0 means none
	RetryDelay     *time.Duration // bound of the first pause before another
	StorageTTL     *time.Duration // after which the store removes blobs; 0 means never
}

// setting is one field of Settings: its key, and how a value becomes it.
type setting struct {
	key      string // in a file; the variable is MOPS_ and the key in capitals
	fromText func(text string) (any, error)
	put      func(into *Settings, value any) error
	overlay  func(into *Settings, over Settings)
	isSet    func(s Settings) bool
	show     func(s Settings) string // what is set
}

func (s setting) variable() string { return "MOPS_" + strings.ToUpper(s.key) }

// settings are all of them. Values are string, bool and int64, as TOML has them.
var settings = []setting{
	define("root", sameText, readRoot, func(s *Settings) **string { return &s.Root }),
	define("pipeline", sameText, readName("forecast"), func(s *Settings) **string { return &s.Pipeline }),
	define("executor", sameText, readName("cluster"), func(s *Settings) **string { return &s.Executor }),
	define("off", textToBool, readBool, func(s *Settings) **bool { return &s.Off }),
	define("refresh", textToBool, readBool, func(s *Settings) **bool { return &s.Refresh }),
	define("read_only", textToBool, readBool, func(s *Settings) **bool { return &s.ReadOnly }),
	define("require_results", textToBool, readBool, func(s *Settings) **bool { return &s.RequireResults }),
	define("keep_errors", textToBool, readBool, func(s *Settings) **bool { return &s.KeepErrors }),
	define("code_check", sameText, readPolicy, func(s *Settings) **code.Policy { return &s.CodeCheck }),
	define("timeout", sameText, readTimeout, func(s *Settings) **time.Duration { return &s.Timeout }),
	define("storage_ttl", sameText, readTTL, func(s *Settings) **time.Duration { return &s.StorageTTL }),
	define("retries", textToInt, readRetries, func(s *Settings) **int { return &s.Retries }),
	define("retry_delay", sameText, readDelay, func(s *Settings) **time.Duration { return &s.RetryDelay }),
}

func define[T any](
	key string, fromText func(string) (any, error), read func(any) (T, error), field func(*Settings) **T,
) setting {
	return setting{
		key:      key,
		fromText: fromText,
		put: func(into *Settings, value any) error {
			read, err := read(value)
			if err == nil {
				*field(into) = &read
			}
			return err
		},
		overlay: func(into *Settings, over Settings) {
			if value := *field(&over); value != nil {
				*field(into) = value
			}
		},
		isSet: func(s Settings) bool { return *field(&s) != nil },
		show: func(s Settings) string {
			if d, ok := any(**field(&s)).(time.Duration); ok {
				return shownDuration(d)
			}
			return fmt.Sprint(**field(&s))
		},
	}
}

// settingOf finds a setting by its key.
func settingOf(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// Overlay is s with all that is set in over on top of it.
func (s Settings) Overlay(over Settings) Settings {
	for _, setting := range settings {
		setting.overlay(&s, over)
	}
	return s
}

// contradictions are the pairs of keys that cannot both be said in one place.
// The second key is the one to blame.
var contradictions = []struct {
	first, second string
	in            func(Settings) bool
	why           string
}{
	{"off", "executor", func(s Settings) bool { return on(s.Off) && s.Executor != nil }, "a function that is off runs in the calling process, on no executor"},
	{"off", "require_results", func(s Settings) bool { return on(s.Off) && on(s.RequireResults) }, "a function that is off always runs, and with require_results nothing may"},
	{"refresh", "require_results", func(s Settings) bool { return on(s.Refresh) && on(s.RequireResults) }, "refresh computes everything again, and with require_results nothing may run"},
}

func on(setting *bool) bool { return setting != nil && *setting }
