package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// credentials are the user's. Errors in getting them are told in our own words:
// the SDK's quote the secrets.
type credentials struct{ aws.CredentialsProvider }

func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	value, err := c.CredentialsProvider.Retrieve(ctx)
	switch {
	case err == nil:
		return value, nil
	case ctx.Err() != nil:
		return value, ctx.Err()
	}
	return value, unusable(err)
}

func unusable(err error) error {
	operation, _ := errors.AsType[*smithy.OperationError](err)
	answer, answered := errors.AsType[smithy.APIError](err)
	_, sso := errors.AsType[*ssocreds.InvalidTokenError](err)
	_, network := errors.AsType[*net.OpError](err)
	source := "the service that gives AWS credentials"
	if operation != nil {
		source = operation.ServiceID + " " + operation.OperationName + ", which gives AWS credentials,"
	}
	kind, text := driver.Denied, ""
	switch {
	case sso:
		text = "the AWS SSO session has expired, or there is none: run `aws sso login`"
	case operation != nil && operation.ServiceID == "ec2imds":
		text = "there are no AWS credentials: not in the environment (AWS_ACCESS_KEY_ID, …), not in ~/.aws, " +
			"and this machine has no role; docs/stores.md names all places"
	case answered:
		if answer.ErrorFault() == smithy.FaultServer {
			kind = driver.Unavailable
		}
		text = strings.TrimRight(fmt.Sprintf("%s refuses: %s: %s", source, answer.ErrorCode(), answer.ErrorMessage()), ": ")
	case operation != nil || network:
		kind = driver.Unavailable
		text = fmt.Sprintf("%s cannot be reached: %s", source, innermost(err))
	default:
		text = "the AWS credentials are of no use: " + innermost(err)
	}
	return &driver.Error{Kind: kind, Err: errors.New(text)}
}

// innermost is the text, on one line, of the innermost error in a chain, or of
// the file error before it. The outer errors may quote URLs, files and the
// output of programs.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if _, namesFile := err.(*fs.PathError); namesFile || inner == nil {
			return strings.Join(strings.Fields(err.Error()), " ")
		}
		err = inner
	}
}
