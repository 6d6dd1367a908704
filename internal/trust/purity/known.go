package purity

import (
	"go/types"
	"slices"
	"strings"
)

// Class is a kind of finding.
type Class string

// The kinds of findings.
const (
	Clock       Class = "clock"
	Chance      Class = "chance"
	Environment Class = "environment"
	Variable    Class = "variable"
	Files       Class = "files"
	Network     Class = "network"
	Command     Class = "command"
	Impure      Class = "impure package"
	Calls       Class = "calls"
	Comment     Class = "comment"

	processors Class = "processors" // Environment, but for how many goroutines there are
)

// always are the functions and variables whose use is never right, by the path of
// their package: "" stands for every function and method of it, a name that ends
// in * for all that begin so, and one that begins with ! is an exception.
var always = map[string]map[Class]string{
	"time":         {Clock: "Now Since Until", Environment: "Local Time.Local"},
	"math/rand":    {Chance: "!New* !Rand.* !Zipf.* "},
	"math/rand/v2": {Chance: "!New* !Rand.* !Zipf.* !PCG.* !ChaCha8.* "},
	"crypto/rand":  {Chance: ""},
	"hash/maphash": {Chance: "MakeSeed Hash.Seed"},
	"os": {
		Environment: "Getenv LookupEnv Environ ExpandEnv Args Hostname Getwd Getpid Getppid Getuid Geteuid Getgid Getegid Getgroups " +
			"UserHomeDir UserCacheDir UserConfigDir Executable Stdin",
	},
	"os/user":       {Environment: "Current Lookup*"},
	"os/exec":       {Command: "Cmd.Run Cmd.Start Cmd.Output Cmd.CombinedOutput", Environment: "LookPath"},
	"os/signal":     {Environment: ""},
	"flag":          {Environment: "!NewFlagSet !FlagSet.* "},
	"runtime":       {processors: "NumCPU GOMAXPROCS", Environment: "NumGoroutine ReadMemStats NumCgoCall"},
	"runtime/debug": {Environment: "ReadBuildInfo"},
	"syscall":       {Environment: "Getenv Environ Getpid Gettimeofday Time Sysinfo Uname"},
	"net": {
		Network:     "Dial* Dialer.* Lookup* Resolver.* Listen* ListenConfig.*",
		Environment: "Interfaces Interface* ",
	},
	"net/http":     {Network: "Get Post PostForm Head Client.Do Client.Get Client.Post Client.PostForm Client.Head Transport.RoundTrip ListenAndServe* Serve*"},
	"net/rpc":      {Network: "Dial* Client.Call Client.Go"},
	"net/smtp":     {Network: "Dial SendMail"},
	"crypto/tls":   {Network: "Dial* Dialer.*"},
	"log/syslog":   {Network: "Dial"},
	"database/sql": {Network: "Open OpenDB DB.Query* DB.Exec* DB.Ping* DB.Prepare* DB.Begin* DB.Conn Conn.Query* Conn.Exec* Tx.Query* Tx.Exec* Stmt.Query* Stmt.Exec*"},
	"expvar":       {Environment: "Get Do"},

	"golang.org/x/exp/rand":  {Chance: "!New* !Rand.* !PCGSource.* "},
	"golang.org/x/sys/unix":  {Environment: "Getenv Environ Getpid Gettimeofday Time Sysinfo Uname ClockGettime Getrandom"},
	"golang.org/x/net/proxy": {Network: ""},
}

// byName are functions that read what a name says, and which argument it is: right
// for what mops or the function itself has put there.
var byName = map[string]map[string]int{
	"os":            {"Open": 0, "OpenInRoot": 0, "ReadFile": 0, "ReadDir": 0, "Stat": 0, "Lstat": 0, "Readlink": 0, "DirFS": 0, "OpenRoot": 0},
	"io/ioutil":     {"ReadFile": 0, "ReadDir": 0},
	"path/filepath": {"Walk": 0, "WalkDir": 0, "Glob": 0, "EvalSymlinks": 0},
	"text/template": {"ParseFiles": 0, "ParseGlob": 0, "Template.ParseFiles": 1, "Template.ParseGlob": 1},
	"html/template": {"ParseFiles": 0, "ParseGlob": 0, "Template.ParseFiles": 1, "Template.ParseGlob": 1},
	"archive/zip":   {"OpenReader": 0},
	"crypto/tls":    {"LoadX509KeyPair": 0},
	"go/parser":     {"ParseDir": 1},
	"debug/elf":     {"Open": 0},
	"syscall":       {"Open": 0, "Stat": 0, "Lstat": 0},

	"golang.org/x/sys/unix": {"Open": 0, "Stat": 0, "Lstat": 0},
}

// impure are packages of others all of whose functions and methods are for what
// the input does not decide, by their paths and those below them. After the path
// come exceptions, as in always.
var impure = map[string]string{
	"github.com/google/uuid":                        "!Parse* !Must* !NewMD5 !NewSHA1 !NewHash !FromBytes !Validate !UUID.* !NullUUID.* !IsInvalidLengthError",
	"github.com/gofrs/uuid":                         "!From* !NewV3 !NewV5 !UUID.* !NullUUID.* !Must",
	"github.com/satori/go.uuid":                     "!From* !NewV3 !NewV5 !UUID.* !NullUUID.* !Must",
	"github.com/rs/xid":                             "!From* !ID.* !NilID !Sort",
	"github.com/segmentio/ksuid":                    "!Parse* !From* !KSUID.* !Sort !Compare !IsSorted",
	"github.com/oklog/ulid":                         "!Parse* !ULID.* !New !MustNew* !Timestamp !Time !Monotonic",
	"github.com/matoous/go-nanoid":                  "",
	"github.com/brianvoe/gofakeit":                  "!New* !Faker.*",
	"github.com/go-faker/faker":                     "",
	"github.com/spf13/viper":                        "!New* !Viper.*",
	"github.com/joho/godotenv":                      "!Parse !Unmarshal* !Marshal",
	"github.com/kelseyhightower/envconfig":          "",
	"github.com/caarlos0/env":                       "",
	"github.com/shirou/gopsutil":                    "",
	"github.com/go-resty/resty":                     "",
	"github.com/redis/go-redis":                     "",
	"github.com/gomodule/redigo":                    "",
	"github.com/jackc/pgx":                          "",
	"github.com/jmoiron/sqlx":                       "!Named !In !Rebind",
	"gorm.io/gorm":                                  "",
	"go.mongodb.org/mongo-driver/mongo":             "",
	"github.com/gocql/gocql":                        "",
	"github.com/segmentio/kafka-go":                 "",
	"github.com/IBM/sarama":                         "",
	"github.com/nats-io/nats.go":                    "",
	"github.com/minio/minio-go":                     "",
	"github.com/aws/aws-sdk-go-v2/service":          "",
	"github.com/aws/aws-sdk-go/service":             "",
	"github.com/Azure/azure-sdk-for-go/sdk/storage": "",
	"cloud.google.com/go/storage":                   "",
	"cloud.google.com/go/bigquery":                  "",
	"cloud.google.com/go/pubsub":                    "",
	"cloud.google.com/go/firestore":                 "",
	"cloud.google.com/go/spanner":                   "",
	"gocloud.dev/blob":                              "",
	"k8s.io/client-go/kubernetes":                   "",
}

// sinks are packages that show to people or count what they are given: it is not
// in a result.
var sinks = []string{
	"log", "log/slog", "expvar", "runtime/trace",
	"go.uber.org/zap", "github.com/rs/zerolog", "github.com/sirupsen/logrus", "k8s.io/klog", "github.com/golang/glog", "github.com/go-logr/logr",
	"github.com/prometheus/client_golang", "go.opentelemetry.io/otel",
}

// changes are functions of other packages that change what an argument leads to,
// and which; of methods 0 is the receiver. A name ends in * as in always.
var changes = map[string]map[string]int{
	"sync":            {"Map.Store": 0, "Map.LoadOrStore": 0, "Map.LoadAndDelete": 0, "Map.Delete": 0, "Map.Swap": 0, "Map.CompareAnd*": 0, "Map.Clear": 0},
	"sync/atomic":     {"Add*": 0, "Store*": 0, "Swap*": 0, "CompareAndSwap*": 0, "And*": 0, "Or*": 0, "*.Add": 0, "*.Store": 0, "*.Swap": 0, "*.CompareAndSwap": 0, "*.And": 0, "*.Or": 0},
	"bytes":           {"Buffer.Write*": 0, "Buffer.Read*": 0, "Buffer.Reset": 0, "Buffer.Truncate": 0, "Buffer.Next": 0},
	"strings":         {"Builder.Write*": 0, "Builder.Reset": 0},
	"container/list":  {"List.Push*": 0, "List.Remove": 0, "List.Init": 0, "List.Insert*": 0, "List.Move*": 0},
	"container/heap":  {"Push": 0, "Pop": 0, "Init": 0, "Fix": 0, "Remove": 0},
	"sort":            {"Slice": 0, "SliceStable": 0, "Sort": 0, "Stable": 0, "Ints": 0, "Strings": 0, "Float64s": 0},
	"slices":          {"Sort": 0, "SortFunc": 0, "SortStableFunc": 0, "Reverse": 0},
	"maps":            {"Copy": 0, "DeleteFunc": 0, "Insert": 0},
	"math/rand":       {"Rand.*": 0},
	"math/rand/v2":    {"Rand.*": 0, "PCG.*": 0, "ChaCha8.*": 0},
	"math/big":        {"Int.Set*": 0, "Int.Add": 0, "Int.Sub": 0, "Int.Mul": 0, "Rat.Set*": 0, "Float.Set*": 0},
	"encoding/json":   {"Unmarshal": 1, "Decoder.Decode": 1},
	"encoding/xml":    {"Unmarshal": 1, "Decoder.Decode": 1},
	"encoding/gob":    {"Decoder.Decode": 1},
	"encoding/binary": {"Read": 2},
	"flag": {
		"BoolVar": 0, "IntVar": 0, "Int64Var": 0, "UintVar": 0, "Uint64Var": 0, "StringVar": 0, "Float64Var": 0, "DurationVar": 0, "TextVar": 0, "Var": 0,
		"FlagSet.*Var": 1, "FlagSet.Var": 1,
	},
	"fmt":                        {"Sscan": 1, "Sscanf": 2, "Sscanln": 1, "Fscan": 1, "Fscanf": 2, "Fscanln": 1},
	"gopkg.in/yaml.v3":           {"Unmarshal": 1},
	"sigs.k8s.io/yaml":           {"Unmarshal": 1},
	"github.com/BurntSushi/toml": {"Decode*": 1},
}

// byReflection are methods that others call on whatever they are given.
var byReflection = []string{
	"String", "Error", "Format", "GoString", "LogValue", "IsZero",
	"MarshalJSON", "MarshalText", "MarshalBinary", "MarshalXML", "MarshalYAML", "MarshalCBOR", "GobEncode", "AppendText", "AppendBinary",
	"UnmarshalJSON", "UnmarshalText", "UnmarshalBinary", "UnmarshalXML", "UnmarshalYAML", "UnmarshalCBOR", "GobDecode",
}

// nameOf is the name of an object in its package, of a method with its type.
func nameOf(o types.Object) string {
	f, ok := o.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return o.Name()
	}
	t := types.Unalias(f.Signature().Recv().Type())
	if pointer, ok := t.(*types.Pointer); ok {
		t = types.Unalias(pointer.Elem())
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name() + "." + o.Name()
	}
	return o.Name()
}

// matches says that a name is in a list of patterns, and none of its exceptions.
// An empty list, or one of exceptions, has all other names.
func matches(list, name string) bool {
	patterns := strings.Fields(list)
	all := true
	for _, p := range patterns {
		if not, ok := strings.CutPrefix(p, "!"); ok {
			if like(not, name) {
				return false
			}
			continue
		}
		all = false
	}
	return all || slices.ContainsFunc(patterns, func(p string) bool { return like(p, name) })
}

func like(pattern, name string) bool {
	before, after, any := strings.Cut(pattern, "*")
	if !any {
		return pattern == name
	}
	return len(name) >= len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}

// classOf says what is wrong with the use of something of another package.
func classOf(o types.Object) (Class, bool) {
	switch o.(type) {
	case *types.Func, *types.Var:
	default:
		return "", false
	}
	if o.Pkg() == nil {
		return "", false
	}
	path, name := o.Pkg().Path(), nameOf(o)
	for class, list := range always[path] {
		if matches(list, name) {
			return class, true
		}
	}
	if _, isFunc := o.(*types.Func); !isFunc {
		return "", false
	}
	for known, list := range impure {
		if below(path, known) && matches(list, name) {
			return Impure, true
		}
	}
	return "", false
}

// below says that a package is known, or one in a folder of it, as another major
// version is.
func below(path, known string) bool { return path == known || strings.HasPrefix(path, known+"/") }

func isSink(path string) bool {
	return slices.ContainsFunc(sinks, func(known string) bool {
		return path == known || strings.Contains(known, ".") && below(path, known)
	})
}

// changed is the argument whose variable a function of another package changes.
func changed(f *types.Func) (int, bool) {
	if f.Pkg() == nil {
		return 0, false
	}
	for pattern, i := range changes[f.Pkg().Path()] {
		if like(pattern, nameOf(f)) {
			return i, true
		}
	}
	return 0, false
}
