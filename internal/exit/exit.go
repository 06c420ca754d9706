// Package exit defines the exit codes of gatehouse. An error carries its own code, so
// that a new kind of error needs no change where errors are reported:
//
//	func (e *StaleError) ExitCode() exit.Code { return exit.Wrong }
//
// An error without a code is [Failed].
package exit

import (
	"errors"
	"fmt"
)

// Code is the exit code of the program. It is a separate type so that the
// ExitCode method of an *exec.ExitError, the end of another program, is not
// mistaken for one.
type Code int

// The exit codes.
const (
	// Done: the program did what it was asked to do.
	Done Code = 0
	// Wrong: the input, or the object of a check, is wrong.
	Wrong Code = 1
	// Failed: the program could not do its work.
	Failed Code = 2
)

// Coder is an error that carries its code.
type Coder interface {
	error
	ExitCode() Code
}

// Of returns the code of the first error in the chain of err that carries one,
// Failed if none does, and Done for nil.
func Of(err error) Code {
	if err == nil {
		return Done
	}
	if coder, ok := errors.AsType[Coder](err); ok {
		return coder.ExitCode()
	}
	return Failed
}

// Wrongf formats an error like [fmt.Errorf]; its code is Wrong.
func Wrongf(format string, args ...any) error { return wrong{fmt.Errorf(format, args...)} }

type wrong struct{ error }

func (wrong) ExitCode() Code  { return Wrong }
func (w wrong) Unwrap() error { return w.error }
