package terminal

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// program is the variable that makes the test binary a program of mops; its value
// says how the program ends.
const program = "TERMINAL_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if _, is := os.LookupEnv(program); is {
		mops.Main(run, mops.Root("mem://terminal"), mops.Isolated())
	}
	mops.Init()
	os.Exit(m.Run())
}

const calls = 6

func run(ctx context.Context) error {
	fmt.Println("the program begins")
	defer fmt.Println("the program ends")
	_, err := speak.All(ctx, []int{0, 1, 2, 3, 4, 5})
	return err
}

// piece is something that a call prints.
type piece struct {
	to    *os.File
	text  string
	pause time.Duration // before it
}

var pieces = []piece{
	{os.Stdout, "a line on standard output\n", 300 * time.Millisecond},
	{os.Stderr, "a line on standard error\n", 0},
	{os.Stdout, "a part ", 0},
	{os.Stderr, "of a ", 300 * time.Millisecond},
	{os.Stdout, "line\n", 150 * time.Millisecond},
	{os.Stdout, strings.Repeat("long ", 60) + "end\n", 0},
	{os.Stdout, scrolls(0, 7), 0},
	{os.Stdout, scrolls(7, 40), 0},
	{os.Stdout, "\x1b[31mred\x1b[0m\n", 0},
}

func scrolls(from, to int) (text string) {
	for i := from; i < to; i++ {
		text += fmt.Sprintln("scrolls", i)
	}
	return text
}

// shows is what a terminal shows of it.
func (p piece) shows() string {
	return strings.NewReplacer("\x1b[31m", "", "\x1b[0m", "").Replace(p.text)
}

// said is what a call prints.
var said = func() (text string) {
	for _, p := range pieces {
		text += p.shows()
	}
	return text
}()

// speak prints for a while, once the block stands, as functions do that know nothing
// of it.
var speak = mops.Define("test/speak", func(ctx context.Context, _ int) (int, error) {
	if spoken == 0 {
		stop(ctx, 0)
	}
	for i, p := range pieces {
		time.Sleep(p.pause)
		fmt.Fprint(p.to, p.text)
		if spoken == 1 {
			stop(ctx, 1+i)
		}
	}
	spoken++
	if spoken == calls/2 {
		stop(ctx, lastStop)
		end(ctx)
	}
	return 0, nil
}, mops.On(inproc.New(inproc.Limit(1))))

// stops is the variable of a folder: at some moments the program waits for a file in it,
// whose name is the number of the moment. They are before the first call prints, after
// each piece of the second one, and when half of all have spoken.
const stops = "TERMINAL_TEST_STOPS"

var lastStop = len(pieces) + 1

func stop(ctx context.Context, number int) {
	folder := os.Getenv(stops)
	for folder != "" && ctx.Err() == nil {
		if _, err := os.Stat(filepath.Join(folder, fmt.Sprint(number))); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var spoken int // calls that have ended; they run one after another

func end(ctx context.Context) {
	switch os.Getenv(program) {
	case "exit":
		fmt.Println("last words")
		os.Exit(3)
	case "fatal":
		log.SetFlags(0)
		log.Fatal("last words")
	case "panic":
		go panic("last words")
		<-ctx.Done()
	case "kill":
		fmt.Println("last words")
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		<-ctx.Done()
	case "wait":
		fmt.Println("last words")
		<-ctx.Done()
	}
}
