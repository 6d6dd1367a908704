package cloud

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// maxRefusal is how much a service says at the most when it refuses a request.
const maxRefusal = 64 << 10

// noStatus refuses an answer whose status HTTP does not have: it was spoilt on
// its way, and means neither that the request was refused nor that it was done.
func noStatus(response *http.Response) error {
	if status := response.StatusCode; status < 200 || status > 599 {
		return fmt.Errorf("the answer has the status %d, which HTTP does not have: it was spoilt on its way", status)
	}
	return nil
}

// readRefusal reads what is said with a refusal. One that is cut short has lost
// its reason: that is a broken connection, and not a refusal for no reason.
func readRefusal(response *http.Response) error {
	if response.StatusCode < 400 {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if err != nil {
		return err
	}
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(said), rest), rest}
	return nil
}
