// Kstatus reads a Kubernetes object from stdin and prints its status as kstatus computes it, which is what Flux, kpt and Helm
// go by: one JSON object with `status` and `message`. With an argument, a CEL expression as Flux takes them in healthCheckExprs,
// it prints whether that holds of the object: true or false.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(input); err != nil {
		fail(err)
	}
	if len(os.Args) > 1 {
		holds, err := evaluate(os.Args[1], object.Object)
		if err != nil {
			fail(err)
		}
		fmt.Println(holds)
		return
	}
	result, err := status.Compute(object)
	if err != nil {
		fail(err)
	}
	answer := map[string]string{"status": result.Status.String(), "message": result.Message}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fail(err)
	}
}

// evaluate gives expressions the fields of the object as variables, as Flux does.
func evaluate(expression string, object map[string]any) (any, error) {
	variables := []cel.EnvOption{}
	for field := range object {
		variables = append(variables, cel.Variable(field, cel.DynType))
	}
	environment, err := cel.NewEnv(variables...)
	if err != nil {
		return nil, err
	}
	checked, issues := environment.Compile(expression)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := environment.Program(checked)
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return nil, err
	}
	return value.Value(), nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kstatus:", err)
	os.Exit(1)
}
