// Package lambdastart starts a function on Lambda: it makes the log, has the function
// built, and gives its handler to Lambda or says why it cannot start. AWS makes the
// archive's ports on the stack's resources.
//
// Only the functions import it. What one of them does not ask for is not linked into
// it: each client of AWS is made by a method of its own.
package lambdastart

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

// Main is the main function of a stage: it has build make the handler from the
// environment, and handles events until Lambda ends the process. A function that
// cannot be built logs why, and exits.
//
// The handler is a method, as lambda.Start takes it, and not the function that it is a
// method of: a type that is known here by an interface or a type parameter keeps in the
// binary what its fields could be asked for, such as Parquet.
func Main(stage string, build func(ctx context.Context, getenv func(string) string, log *slog.Logger) (handler any, err error)) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", stage)
	handler, err := build(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
