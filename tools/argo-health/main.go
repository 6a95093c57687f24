// Command argo-health runs an Argo CD health script on one object, as Argo CD would.
//
//	argo-health health.lua <object.json
//
// It prints {"status": …, "message": …}, or fails with the reason on standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Argo CD gives up on a script after this time too.
const timeout = time.Second

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "argo-health:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("usage: argo-health health.lua <object.json")
	}
	script, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.NewDecoder(in).Decode(&object); err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	result, err := judge(string(script), object)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

func judge(script string, object map[string]any) (health, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	state, err := sandbox()
	if err != nil {
		return health{}, err
	}
	defer state.Close()
	state.SetContext(ctx)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	return verdict(state.Get(-1))
}

// sandbox opens no more than Argo CD does for scripts from its ConfigMap: there is no string library, for instance.
func sandbox() (*lua.LState, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	libraries := []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, // must come first
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			state.Close()
			return nil, err
		}
	}
	return state, nil
}

func verdict(returned lua.LValue) (health, error) {
	table, ok := returned.(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returned %s, not a table", returned.Type())
	}
	status, message := table.RawGetString("status"), table.RawGetString("message")
	switch status.String() {
	case "Healthy", "Progressing", "Suspended", "Degraded", "Missing", "Unknown":
	default:
		return health{}, fmt.Errorf("the script returned the status %q", status.String())
	}
	if message.Type() != lua.LTString {
		return health{}, fmt.Errorf("the script's message is a %s, not a string", message.Type())
	}
	return health{status.String(), message.String()}, nil
}

// value is JSON as Lua sees it.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		list := state.CreateTable(len(from), 0)
		for _, item := range from {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
