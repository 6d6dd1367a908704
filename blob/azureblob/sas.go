package azureblob

import (
	"net/url"
	"time"
)

// sasToken is the part of a SAS token that messages may show.
type sasToken struct {
	expires time.Time // zero if a stored access policy sets it
}

// sasTimes are the forms of its times
// (https://learn.microsoft.com/rest/api/storageservices/formatting-datetime-values).
var sasTimes = []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly}

func newSASToken(query url.Values) *sasToken {
	for _, form := range sasTimes {
		if at, err := time.Parse(form, query.Get("se")); err == nil {
			return &sasToken{at.UTC()}
		}
	}
	return &sasToken{}
}

// mend is what to do about a token that the service refuses: its codes do not
// tell an expired token from a wrong one.
func (t *sasToken) mend(now time.Time) string {
	if !t.expires.IsZero() && t.expires.Before(now) {
		return "the SAS token has expired, at " + t.expires.Format(time.RFC3339) + ": make a new one"
	}
	return "the SAS token may have expired, be wrong or for another account or container, or lack a permission: it needs r, a, c, w, d and l (sp=racwdl); " +
		"or the account's network rules keep this machine out"
}
