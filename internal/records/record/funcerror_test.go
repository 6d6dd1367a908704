package record

import (
	"reflect"
	"runtime/debug"
	"testing"
)

func TestFuncErrorRoundTrip(t *testing.T) {
	for _, e := range []FuncError{
		{Message: "plain"},
		{Message: "boom", Panic: true, Stack: "goroutine 1 [running]:\n", Types: []string{"*errors.errorString"}},
		{Message: "typed", Registered: &RegisteredError{Name: "e", Data: []byte{1, 2}}},
	} {
		data, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeFuncError(data)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v came back as %+v, %v", e, got, err)
		}
	}
}

// CBOR text must be UTF-8; an error message need not be.
func TestFuncErrorOfAnyBytes(t *testing.T) {
	types := []string{"t\xff"}
	data, err := FuncError{Message: "a\xffb", Stack: "\xfe", Types: types}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeFuncError(data)
	if err != nil || got.Message != "a\uFFFDb" || got.Types[0] != "t\uFFFD" {
		t.Errorf("came back as %+v, %v", got, err)
	}
	if types[0] != "t\xff" {
		t.Error("Encode changed the caller's slice")
	}
	if got, err := DecodeFuncError([]byte("\xa1gmessageb\xc3\x28")); err != nil || got.Message == "" {
		t.Errorf("text of another writer: %+v, %v", got, err)
	}
}

func TestFuncErrorThatDoesNotDecode(t *testing.T) {
	for _, data := range []string{"", "\xff", "\x01", "\xa1gmessage"} {
		if _, err := DecodeFuncError([]byte(data)); err == nil {
			t.Errorf("%q decodes", data)
		}
	}
}

func TestDescribeBuild(t *testing.T) {
	b := describe(&debug.BuildInfo{
		Path: "example.org/x/cmd", GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.0.0"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
		Deps:     []*debug.Module{{Path: "z", Version: "v1"}, {Path: "a", Version: "v2", Replace: &debug.Module{Path: "fork", Version: "v3"}}},
	})
	want := Program{Path: "example.org/x/cmd", Version: "v1.0.0", Revision: "abc", Dirty: true, Go: "go1.26.0"}
	if b.program != want {
		t.Errorf("program %+v, want %+v", b.program, want)
	}
	if !reflect.DeepEqual(b.modules, []string{"fork@v3", "z@v1"}) {
		t.Errorf("modules %v", b.modules)
	}
	if ThisProgram().Go == "" {
		t.Error("this program has no build info")
	}
}
