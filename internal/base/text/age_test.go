package text

import (
	"strings"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90d": 90 * day, "12h": 12 * time.Hour, "1w": 7 * day, "1w3d": 10 * day, "90m": 90 * time.Minute, "30s": 30 * time.Second, "1d12h": 36 * time.Hour, "0s": 0, " 2d ": 2 * day, "106751d": 106751 * day,
	} {
		var a Age
		if err := a.Set(text); err != nil || time.Duration(a) != want {
			t.Errorf("%q is %v, %v", text, time.Duration(a), err)
		}
		var again Age
		if err := again.Set(a.String()); want > 0 && (err != nil || again != a) {
			t.Errorf("%q prints itself as %q, which is %v, %v", text, a.String(), time.Duration(again), err)
		}
	}
	for text, says := range map[string]string{
		"": "it is empty", "90": "90 of what?", "d": `"d" does not begin with digits`, "-3d": "does not begin with digits", "3y": `no unit "y"`, "3mo": `no unit "mo"`, "1.5d": `no unit ".5d"`, "3D": `no unit "D"`,
		"1d5": "5 of what?", "106752d": "too long", "99999999999999999999d": "too long", "106751d24h": "too long",
	} {
		var a Age
		if err := a.Set(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	for want, a := range map[string]Age{"90 days": Age(90 * day), "1 day": Age(day), "36 hours": Age(36 * time.Hour), "0 seconds": 0, "90 seconds": Age(90 * time.Second)} {
		if got := a.Words(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
