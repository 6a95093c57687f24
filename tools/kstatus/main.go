// Command kstatus says whether generic tools take objects for done, with the library that Flux uses for it.
//
//	kstatus compute <objects.jsonl
//	kstatus wait -kubeconfig FILE -timeout 30s NAMESPACE Kind.group NAME
//
// compute prints one {"status": …, "message": …} for each object that it reads. wait follows an object at the API
// server until it is current (exit 0) or has failed (exit 2), or until the time is over (exit 3), and prints each
// status that it went through.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/event"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/cli-utils/pkg/kstatus/watcher"
	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

const usage = "usage: kstatus compute | kstatus wait -kubeconfig FILE [-timeout TIME] NAMESPACE Kind.group NAME"

var (
	errFailed   = errors.New("the object has failed")
	errTimedOut = errors.New("the time is over")
)

type verdict struct {
	Status  status.Status `json:"status"`
	Message string        `json:"message"`
}

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
	}
	switch {
	case err == nil:
	case errors.Is(err, errFailed):
		os.Exit(2)
	case errors.Is(err, errTimedOut):
		os.Exit(3)
	default:
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) == 0 {
		return errors.New(usage)
	}
	switch arguments[0] {
	case "compute":
		return compute(json.NewDecoder(in), json.NewEncoder(out))
	case "wait":
		return wait(arguments[1:], json.NewEncoder(out))
	default:
		return errors.New(usage)
	}
}

func compute(in *json.Decoder, out *json.Encoder) error {
	for {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an object: %w", err)
		}
		// Not into a map: that would make floats of generations.
		var one unstructured.Unstructured
		if err := one.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("read an object: %w", err)
		}
		result, err := status.Compute(&one)
		if err != nil {
			return err
		}
		if err := out.Encode(verdict{result.Status, result.Message}); err != nil {
			return err
		}
	}
}

func wait(arguments []string, out *json.Encoder) error {
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file that says where the API server is")
	timeout := flags.Duration("timeout", 30*time.Second, "longest time to wait")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 3 {
		return errors.New(usage)
	}
	statuses, err := newWatcher(*kubeconfig)
	if err != nil {
		return err
	}
	wanted := object.ObjMetadata{
		Namespace: flags.Arg(0),
		GroupKind: schema.ParseGroupKind(flags.Arg(1)),
		Name:      flags.Arg(2),
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	return follow(statuses.Watch(ctx, object.ObjMetadataSet{wanted}, watcher.Options{}), out)
}

func newWatcher(kubeconfig string) (watcher.StatusWatcher, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	resources, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(resources))
	return watcher.NewDefaultStatusWatcher(client, mapper), nil
}

// follow ends as Flux's waits do: at the first Current, and at the first Failed since nothing will mend itself.
func follow(events <-chan event.Event, out *json.Encoder) error {
	for one := range events {
		switch one.Type {
		case event.ErrorEvent:
			return one.Error
		case event.ResourceUpdateEvent:
			if one.Resource.Error != nil {
				return one.Resource.Error
			}
			if err := out.Encode(verdict{one.Resource.Status, one.Resource.Message}); err != nil {
				return err
			}
			switch one.Resource.Status {
			case status.CurrentStatus:
				return nil
			case status.FailedStatus:
				return errFailed
			}
		}
	}
	return errTimedOut
}
