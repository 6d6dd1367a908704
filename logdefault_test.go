package mops_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// A program that set slog's default logger finds the lines of functions there,
// unless it says otherwise.
func TestLinesGoToTheDefaultLoggerOfTheProgram(t *testing.T) {
	before, flags := slog.Default(), log.Flags()
	defer log.SetFlags(flags)
	defer log.SetOutput(log.Writer()) // SetDefault changes it, too
	defer slog.SetDefault(before)
	var theirs, ours bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&theirs, nil)))
	speak := mops.Define("test/speak", func(ctx context.Context, word string) (int, error) {
		mops.Logger(ctx).Info(word)
		return 0, nil
	}, mops.In(mops.NewRegistry()))
	for _, options := range [][]mops.EnvOption{nil, {mops.LogTo(slog.New(slog.NewTextHandler(&ours, nil)))}} {
		env, err := mops.New(t.Context(), append(options, mops.Isolated(), mops.Root("file://"+t.TempDir()), mops.CacheDir(t.TempDir()))...)
		if err != nil {
			t.Fatal(err)
		}
		word := map[bool]string{true: "default", false: "chosen"}[options == nil]
		_, err = speak.Call(env.Context(t.Context()), word)
		if err := env.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := theirs.String(); !strings.Contains(got, "msg=default") || strings.Contains(got, "chosen") {
		t.Errorf("slog's default got %s", got)
	}
	if got := ours.String(); !strings.Contains(got, "msg=chosen") || strings.Contains(got, "msg=default") {
		t.Errorf("the chosen logger got %s", got)
	}
}
