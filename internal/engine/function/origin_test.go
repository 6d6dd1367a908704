package function

import (
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

func TestDefinition(t *testing.T) {
	for symbol, want := range map[string]string{
		"example.com/forecast.train":               "example.com/forecast.train",
		"example.com/forecast.(*Model).Train-fm":   "example.com/forecast.(*Model).Train",
		"example.com/forecast.fit[...]":            "example.com/forecast.fit[...]",
		"example.com/forecast.Make.func1":          "example.com/forecast.Make",
		"example.com/forecast.Make.func1.2":        "example.com/forecast.Make",
		"example.com/forecast.init.func3":          "example.com/forecast",
		"example.com/forecast.glob..func3":         "example.com/forecast",
		"gopkg.in/forecast%2ev2.train":             "gopkg.in/forecast%2ev2.train",
		"forecast.train":                           "forecast.train",
		"example.com/forecast.(*Model[...]).Train": "example.com/forecast.(*Model[...]).Train",
		"main": "",
		"":     "",
	} {
		if got := definition(symbol); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
	// This test is of a package, so the main package is that of the test.
	if got, want := definition("main.train"), record.ThisProgram().Path+".train"; got != want || record.ThisProgram().Path == "" {
		t.Errorf("%s, want %s", got, want)
	}
}
