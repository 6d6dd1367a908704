package words

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRunIDIsUTCMinuteAndWords(t *testing.T) {
	skirt, bus := slices.Index(list[:], "skirt"), slices.Index(list[:], "bus")
	now := time.Date(2026, 11, 23, 15, 12, 59, 0, time.FixedZone("", 3600))
	if got, want := RunID(now, uint32(skirt<<10|bus)), "2611231412-SkirtBus"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if high, low := RunID(now, 0xfff00000), RunID(now, 0); high != low {
		t.Errorf("bits above the twentieth count: %s and %s", high, low)
	}
}

func TestParseRunIDIsTheInverse(t *testing.T) {
	for i := range uint32(Count) {
		now := time.Date(2000+int(i%100), 1, 2, 3, 4, 0, 0, time.UTC)
		id := RunID(now, i<<10|(Count-1-i))
		minute, words, err := ParseRunID(id)
		if err != nil || !minute.Equal(now) || words != [2]string{list[i], list[Count-1-i]} {
			t.Fatalf("ParseRunID(%s) = %v, %v, %v", id, minute, words, err)
		}
	}
}

func TestParseRunIDRefuses(t *testing.T) {
	for id, want := range map[string]string{
		"":                       "no '-'",
		"2611231412":             "no '-'",
		"261123141-SkirtBus":     "not a minute",
		"26112314120-SkirtBus":   "not a minute",
		"2613231412-SkirtBus":    "not a minute",
		"2611231412-":            "two words",
		"2611231412-Skirt":       "two words",
		"2611231412-skirtBus":    `"skirt" is not a word`,
		"2611231412-SkirtBusBus": `"BusBus" is not a word`,
		"2611231412-SkirtXyzzy":  `"Xyzzy" is not a word`,
		"2611231412-SkirtBuſ":    "is not a word",
	} {
		if _, _, err := ParseRunID(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRunID(%q): %v, want %q", id, err, want)
		}
	}
}

func TestNewRunIDDiffers(t *testing.T) {
	seen := map[string]bool{}
	for range 8 {
		seen[NewRunID(time.Unix(0, 0))] = true
	}
	if len(seen) < 7 { // one pair alike is chance, more are not
		t.Errorf("8 run ids of one minute: %v", seen)
	}
}

func FuzzParseRunID(f *testing.F) {
	f.Add("2611231412-SkirtBus")
	f.Add("0001010000-ÄÖ")
	f.Fuzz(func(t *testing.T, id string) {
		minute, words, err := ParseRunID(id)
		if err != nil {
			return
		}
		again := minute.Format(minuteLayout) + "-" + capitalised(words[0]) + capitalised(words[1])
		if again != id {
			t.Errorf("%q was read as %q", id, again)
		}
	})
}
