package text

import (
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 12, 0, 0, time.Local)
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{-5 * time.Second, "just now"},
		{time.Second, "just now"},
		{42 * time.Second, "42 seconds ago"},
		{time.Minute, "1 minute ago"},
		{59*time.Minute + 59*time.Second, "59 minutes ago"},
		{time.Hour, "1 hour ago"},
		{47 * time.Hour, "1 day ago"},
		{59 * 24 * time.Hour, "59 days ago"},
		{61 * 24 * time.Hour, "on 2026-09-23"},
		{-2 * time.Hour, "at 2026-11-23 16:12, which lies ahead"},
	} {
		if got := Ago(now.Add(-c.before), now); got != c.want {
			t.Errorf("%v before: %q, want %q", c.before, got, c.want)
		}
	}
	if got := Ago(time.Time{}, now); got != "at an unknown time" {
		t.Errorf("the zero time is %q", got)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                "0 s",
		0:                           "0 s",
		900 * time.Microsecond:      "0 ms",
		350 * time.Millisecond:      "350 ms",
		time.Second:                 "1 s",
		3190 * time.Millisecond:     "3.1 s",
		9999 * time.Millisecond:     "9.9 s",
		42900 * time.Millisecond:    "42 s",
		80 * time.Second:            "1m20s",
		2*time.Hour + 5*time.Minute: "2h05m",
		76 * time.Hour:              "3d04h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
	}
}
