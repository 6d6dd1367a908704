package text

import (
	"fmt"
	"time"
)

// Ago says how long before now something was, as people do: "just now",
// "5 minutes ago", "3 days ago"; after two months, the day. Clocks differ: what
// seems to lie a little ahead was just now.
func Ago(then, now time.Time) string {
	d := now.Sub(then)
	switch {
	case then.IsZero():
		return "at an unknown time"
	case d < -time.Minute:
		return "at " + then.Local().Format("2006-01-02 15:04") + ", which lies ahead"
	case d < 2*time.Second:
		return "just now"
	case d < time.Minute:
		return ago(d, time.Second, "second")
	case d < time.Hour:
		return ago(d, time.Minute, "minute")
	case d < 24*time.Hour:
		return ago(d, time.Hour, "hour")
	case d < 60*24*time.Hour:
		return ago(d, 24*time.Hour, "day")
	}
	return "on " + then.Local().Format("2006-01-02")
}

func ago(d, unit time.Duration, name string) string {
	return Count(int64(d/unit), name) + " ago"
}

// When is a time, and how long before now that was; "" for the zero time.
func When(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST") + " (" + Ago(t, now) + ")"
}

// Duration is a duration for people, with two or three digits that matter:
// "350 ms", "3.1 s", "42 s", "1m20s", "2h05m", "3d04h".
func Duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// Seconds is Duration of a number of seconds, as records have it.
func Seconds(seconds float64) string {
	return Duration(time.Duration(seconds * float64(time.Second)))
}
