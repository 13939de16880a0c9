// Command ask plays a Gateway: it asks an endpoint picker which replica is to answer a request.
//
// Usage: ask HOST:PORT < BODY
//
// BODY is that of a POST to /v1/completions. The picker is asked as Envoy asks it, by external processing over TLS
// whose certificate nobody checks. Printed is the endpoint, such as 10.0.0.1:8000.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const (
	destination = "x-gateway-destination-endpoint"
	limit       = 10 * time.Second
)

func main() {
	endpoint, err := ask(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(endpoint)
}

func ask(arguments []string) (string, error) {
	if len(arguments) != 1 {
		return "", errors.New("usage: ask HOST:PORT < BODY")
	}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", err
	}
	unchecked := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	connection, err := grpc.NewClient(arguments[0], grpc.WithTransportCredentials(unchecked))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stream, err := extproc.NewExternalProcessorClient(connection).Process(ctx)
	if err != nil {
		return "", err
	}
	for _, message := range []*extproc.ProcessingRequest{headers(), whole(body)} {
		if err := stream.Send(message); err != nil {
			return "", err
		}
	}
	return chosen(stream)
}

func headers() *extproc.ProcessingRequest {
	sent := &core.HeaderMap{}
	for name, value := range map[string]string{
		":method": "POST", ":path": "/v1/completions", "content-type": "application/json",
	} {
		sent.Headers = append(sent.Headers, &core.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	return &extproc.ProcessingRequest{
		Request: &extproc.ProcessingRequest_RequestHeaders{RequestHeaders: &extproc.HttpHeaders{Headers: sent}},
	}
}

func whole(body []byte) *extproc.ProcessingRequest {
	return &extproc.ProcessingRequest{
		Request: &extproc.ProcessingRequest_RequestBody{
			RequestBody: &extproc.HttpBody{Body: body, EndOfStream: true},
		},
	}
}

// chosen reads answers until one sets the header that names the endpoint.
func chosen(stream extproc.ExternalProcessor_ProcessClient) (string, error) {
	for {
		answer, err := stream.Recv()
		if err != nil {
			return "", err
		}
		if refused := answer.GetImmediateResponse(); refused != nil {
			return "", fmt.Errorf("refused with status %d: %s", refused.GetStatus().GetCode(), refused.GetBody())
		}
		for _, set := range answer.GetRequestHeaders().GetResponse().GetHeaderMutation().GetSetHeaders() {
			if set.GetHeader().GetKey() == destination {
				return string(set.GetHeader().GetRawValue()), nil
			}
		}
	}
}
