package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
)

// Miss says in a sentence or two why a call has no result, for an error
// message. It takes no longer than the context lasts; "" means that nothing
// could be found out.
func Miss(ctx context.Context, place memo.Place, call Call) string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	found, err := Find(ctx, place, call, 0)
	if err != nil && found.Calls == 0 {
		return ""
	}
	same := func(v VersionCount) bool { return v.Version == call.Version }
	switch {
	case found.Calls == 0 && found.Whole:
		say("no other call of %s was ever made in pipeline %q", call.Function, call.Pipeline)
	case found.Whole && !slices.ContainsFunc(found.Versions, same):
		say("no other call of version %s was ever made in pipeline %q; %s", call.Version, call.Pipeline, counts(found.Versions))
	}
	if len(found.Near) > 0 {
		near := found.Near[0]
		say("the nearest call %s (%s%s) differs in %s", words.Of(near.URI), text.Ago(near.Modified, time.Now()),
			map[bool]string{false: ", without a result"}[near.HasResult], list(near.Differences, 3))
	}
	if !found.Whole || found.Looked < found.Calls {
		say("compared with %d other calls, and there are more", found.Looked)
	}
	if len(found.Pipelines) > 0 {
		say("this very call has a result in pipeline %s", strings.Join(found.Pipelines, " and in "))
	}
	return strings.Join(said, "; ")
}

// counts is "version 1 has 12 results, version 0 has none".
func counts(versions []VersionCount) string {
	const most = 3
	var parts []string
	for i, v := range versions {
		if i == most {
			parts = append(parts, fmt.Sprintf("and there are %d older ones", len(versions)-most))
			break
		}
		results := "none"
		if v.Results > 0 {
			results = text.Count(v.Results, "result")
		}
		parts = append(parts, fmt.Sprintf("version %s has %s", text.Clean(v.Version), results))
	}
	return strings.Join(parts, ", ")
}

// list is the first few differences in one line.
func list(differences []Difference, most int) string {
	var parts []string
	for i, d := range differences {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(differences)-most))
			break
		}
		parts = append(parts, d.String())
	}
	if len(parts) == 0 {
		return "nothing that can be seen"
	}
	return strings.Join(parts, "; ")
}
