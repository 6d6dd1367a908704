package progress

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
	if n := d / unit; n != 1 {
		return fmt.Sprintf("%d %ss ago", n, name)
	}
	return "1 " + name + " ago"
}
