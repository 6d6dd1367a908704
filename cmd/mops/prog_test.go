package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// prog is the program that scripts run: prog FUNCTION [ARG...].

type tradeIn struct {
	City  string
	Rate  float64
	Tags  []string
	Notes map[string]int `cbor:",omitzero"`
}

type tradeOut struct {
	Total  float64
	Label  string
	When   time.Time
	Big    *big.Int
	Raw    []byte
	Series []int
	Shape  shape
}

type withHidden struct {
	N   int
	Say func() `mops:"-"`
}

type shape interface{ Area() float64 }

type square struct{ Side float64 }

func (s square) Area() float64 { return s.Side * s.Side }

type cityError struct{ City string }

func (e *cityError) Error() string { return "no such city: " + e.City }

func init() {
	if path := os.Getenv("PROG_LOCK"); path != "" {
		lock, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		mops.Locked(string(lock))
	}
	mops.RegisterType[square]()
	mops.RegisterError[*cityError]()
}

var (
	tax = mops.Define("shop/tax", func(_ context.Context, rate float64) (float64, error) { return rate * 2, nil },
		mops.Version(orDefault("PROG_TAX_VERSION")))

	trade = mops.Define("shop/trade", func(ctx context.Context, in tradeIn) (tradeOut, error) {
		doubled, err := tax.Call(ctx, in.Rate)
		if err != nil {
			return tradeOut{}, err
		}
		mops.Record(ctx, "rows", 12)
		return tradeOut{
			Total: doubled, Label: "for " + in.City, When: time.Date(2026, 11, 23, 14, 12, 0, 5, time.UTC),
			Big: new(big.Int).Lsh(big.NewInt(1), 80), Raw: make([]byte, 200), Series: make([]int, 50), Shape: square{3},
		}, nil
	}, mops.Version(orDefault("PROG_VERSION")), mops.Calls(tax))

	clock = mops.Define("shop/clock", func(context.Context, int) (int64, error) { return time.Now().UnixNano(), nil })

	fails = mops.Define("shop/fails", func(_ context.Context, city string) (int, error) {
		return 0, fmt.Errorf("trade: %w", &cityError{city})
	})

	panics = mops.Define("shop/panics", func(context.Context, int) (int, error) { panic("\x1b[31mred\x1b[0m alert") })

	flaky = mops.Define("shop/flaky", func(context.Context, int) (int, error) {
		if os.Getenv("PROG_FAIL") != "" {
			return 0, errors.New("not today")
		}
		return 7, nil
	})

	prints = mops.Define("shop/prints", func(ctx context.Context, n int) (int, error) {
		var text strings.Builder // written at once, so that it is one chunk of a log
		for i := range n {
			fmt.Fprintf(&text, "line %d \x1b[31mred\x1b[0m\n", i+1)
		}
		fmt.Print(text.String())
		if path := os.Getenv("PROG_WAIT"); path != "" {
			fmt.Println("waiting")
			return n, waitFor(ctx, path)
		}
		return n, nil
	}, mops.On(subprocess.New()))

	says = mops.Define("shop/says", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			mops.Logger(ctx).Info("logged", "line", i+1)
			fmt.Fprintf(mops.Output(ctx), "line %d \x1b[31mred\x1b[0m\n", i+1)
		}
		return n, nil
	})

	files = mops.Define("shop/files", func(ctx context.Context, in mops.Source) (mops.Source, error) {
		path, err := in.Path(ctx)
		if err != nil {
			return mops.Source{}, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return mops.Source{}, err
		}
		dir, err := mops.OutDir(ctx)
		if err != nil {
			return mops.Source{}, err
		}
		out := filepath.Join(dir, "copy.txt")
		return mops.File(out), os.WriteFile(out, append(data, '!'), 0o644)
	})

	lists = mops.Define("shop/lists", func(_ context.Context, in mops.Source) (int64, error) { return in.Size(), nil })

	sums = mops.Define("shop/sums", func(ctx context.Context, numbers mops.Shared[[]int]) (sum int, err error) {
		all, err := numbers.Get(ctx)
		for _, n := range all {
			sum += n
		}
		return sum, err
	})

	season = mops.Define("shop/season", func(ctx context.Context, in seasonIn) (int64, error) {
		for day := range in.Days {
			if _, err := tax.Call(ctx, float64(day)); err != nil {
				return 0, err
			}
		}
		copied, err := files.Call(ctx, in.Orders)
		if err != nil {
			return 0, err
		}
		return lists.Call(ctx, copied)
	}, mops.Calls(tax, files, lists))

	exits = mops.Define("shop/exits", func(_ context.Context, code int) (int, error) {
		os.Exit(code)
		return 0, nil
	}, mops.On(subprocess.New()))

	hidden = mops.Define("shop/hidden", func(_ context.Context, in withHidden) (int, error) { return in.N, nil })

	outer = mops.Define("shop/outer", func(ctx context.Context, in mops.Source) (int64, error) {
		out, err := files.Call(ctx, in)
		return out.Size(), err
	})

	changes = defineChanges()

	waits = mops.Define("shop/waits", func(ctx context.Context, n int) (int, error) {
		return n, waitFor(ctx, os.Getenv("PROG_WAIT"))
	})
)

type seasonIn struct {
	Orders mops.Source
	Days   int
}

// defineChanges defines a function of one of two types.
func defineChanges() *mops.Func[string, int] {
	if os.Getenv("PROG_CHANGED") != "" {
		mops.Define("shop/changes", func(context.Context, tradeIn) (int, error) { return 1, nil })
		return nil
	}
	return mops.Define("shop/changes", func(context.Context, string) (int, error) { return 0, errors.New("not of this type") })
}

func orDefault(variable string) string {
	if version := os.Getenv(variable); version != "" {
		return version
	}
	return "1"
}

// waitFor returns when a file is there, after it has said by another file that it waits.
func waitFor(ctx context.Context, path string) error {
	if err := os.WriteFile(path+".waiting", nil, 0o644); err != nil {
		return err
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func prog() {
	mops.Main(func(ctx context.Context) error { return progRun(ctx, os.Args[1:]) }, mops.Progress("off"))
}

func progRun(ctx context.Context, args []string) error {
	number := func(i int) int {
		n, _ := strconv.Atoi(args[i])
		return n
	}
	switch args[0] {
	case "trade":
		rate, err := strconv.ParseFloat(args[2], 64)
		if err != nil {
			return err
		}
		return said(trade.Do(ctx, tradeIn{City: args[1], Rate: rate, Tags: args[3:]}))
	case "clock":
		return said(clock.Do(ctx, number(1)))
	case "fails":
		return said(fails.Do(ctx, args[1]))
	case "panics":
		return said(panics.Do(ctx, number(1)))
	case "flaky":
		return said(flaky.Do(ctx, number(1)))
	case "prints":
		return said(prints.Do(ctx, number(1)))
	case "says":
		return said(says.Do(ctx, number(1)))
	case "files":
		return said(files.Do(ctx, mops.File(args[1])))
	case "lists":
		return said(lists.Do(ctx, mops.Dir(args[1])))
	case "season":
		return said(season.Do(ctx, seasonIn{mops.File(args[1]), number(2)}))
	case "sums":
		return said(sums.Do(ctx, mops.Share([]int{number(1), number(2)})))
	case "inject":
		if err := flaky.Inject(ctx, number(1), number(2)); err != nil {
			return err
		}
		return said(flaky.Do(ctx, number(1)))
	case "hidden":
		return said(hidden.Do(ctx, withHidden{N: number(1)}))
	case "outer":
		return said(outer.Do(ctx, mops.File(args[1])))
	case "exits":
		return said(exits.Do(ctx, number(1)))
	case "changes":
		return said(changes.Do(ctx, args[1]))
	case "waits":
		return said(waits.Do(ctx, number(1)))
	}
	return fmt.Errorf("prog has no function %q", args[0])
}

// said prints the address of a call, whatever came of it.
func said[T any](_ T, info mops.Info, err error) error {
	io.WriteString(os.Stdout, info.URI+"\n")
	return err
}
