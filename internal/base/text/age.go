package text

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Age is a flag for how long ago something was: numbers with units, such as 90d,
// 12h or 1w3d.
type Age time.Duration

var ageUnits = map[string]time.Duration{
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// Set reads an age.
func (a *Age) Set(text string) error {
	const how = "write a number and a unit, such as 90d; units are w, d, h, m (minutes) and s"
	rest, total := strings.TrimSpace(text), time.Duration(0)
	if rest == "" {
		return fmt.Errorf("it is empty: %s", how)
	}
	for rest != "" {
		digits := strings.TrimLeft(rest, "0123456789")
		number := rest[:len(rest)-len(digits)]
		word := digits[:len(digits)-len(strings.TrimLeft(digits, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
		rest = digits[len(word):]
		unit, known := ageUnits[word]
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case number == "":
			return fmt.Errorf("%q does not begin with digits: %s", digits, how)
		case word == "" && rest == "":
			return fmt.Errorf("%s of what? %s", number, how)
		case !known:
			return fmt.Errorf("there is no unit %q: %s", word+rest, how)
		case err != nil || n > int64(math.MaxInt64-total)/int64(unit):
			return fmt.Errorf("that is too long: the most is %dd", math.MaxInt64/(24*time.Hour))
		}
		total += time.Duration(n) * unit
	}
	*a = Age(total)
	return nil
}

// whole is the age in its biggest unit that leaves no rest.
func (a Age) whole() (n int64, unit string) {
	for _, unit := range []string{"d", "h", "m"} {
		if size := Age(ageUnits[unit]); a >= size && a%size == 0 {
			return int64(a / size), unit
		}
	}
	return int64(a / Age(time.Second)), "s"
}

// String is the age as Set reads it: "90d", "36h".
func (a *Age) String() string {
	if a == nil || *a == 0 {
		return ""
	}
	n, unit := a.whole()
	return fmt.Sprint(n) + unit
}

// Words are the age for a sentence: "90 days".
func (a Age) Words() string {
	n, unit := a.whole()
	return Count(n, map[string]string{"d": "day", "h": "hour", "m": "minute", "s": "second"}[unit])
}
