package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

// parseResponse decodes a line of the engine. It returns an error unless exactly one of result and error is set.
func parseResponse(line []byte) (Response, error) {
	var r Response
	if err := Decode(line, &r); err != nil {
		return r, err
	}
	if bytes.Equal(bytes.TrimSpace(r.Result), []byte("null")) {
		r.Result = nil
	}
	return r, oneOf(r.Result != nil, r.Error)
}

// oneOf returns an error unless there is either a result or an error that says something.
func oneOf(result bool, failure *Error) error {
	switch {
	case result && failure != nil:
		return errors.New("it has a result and an error")
	case !result && failure == nil:
		return errors.New("it has neither a result nor an error")
	case failure != nil && (failure.Code == "" || failure.Message == ""):
		return errors.New("its error says nothing")
	}
	return nil
}

// into decodes the result of the response, or returns its error. Only hello may have fields that this gatehouse does
// not know: engines of every version answer it.
func (r Response) into(method string, result any) error {
	if r.Error != nil {
		return r.Error
	}
	decode := Decode
	if method == MethodHello {
		decode = json.Unmarshal
	}
	if err := decode(r.Result, result); err != nil {
		return notAnAnswer(method, err)
	}
	return nil
}

func notAnAnswer(method string, err error) error {
	return fmt.Errorf("%s answered %s with what is no answer to it: %w", Program, method, err)
}

// check returns an error if the answer cannot be one to params. A policy that is neither loaded nor refused would
// be taken for one that admits everything.
func (r LoadResult) check(params LoadParams) error {
	var loaded []string
	for _, p := range r.Policies {
		loaded = append(loaded, p.Name)
	}
	asked := policyNames(params.Policies)
	slices.Sort(loaded)
	switch missing := without(asked, loaded); {
	case len(without(loaded, asked)) > 0 || len(slices.Compact(slices.Clone(loaded))) < len(loaded):
		return fmt.Errorf("it loaded %d policies of %d", len(loaded), len(asked))
	case len(missing) > 0 && r.Err() == nil:
		return fmt.Errorf("it loaded %d policies of %d, and does not say why", len(loaded), len(asked))
	}
	return nil
}

// policyNames returns the names of policies, sorted: those of the objects, or for policies in CEL those of the policies
// whose checks they hold.
func policyNames(objects []json.RawMessage) []string {
	var names []string
	for _, raw := range objects {
		var o struct {
			Kind     string
			Metadata struct {
				Name, Namespace string
				Annotations     map[string]string
			}
		}
		if json.Unmarshal(raw, &o) != nil {
			continue // the engine refuses it
		}
		checks, inCEL := o.Metadata.Annotations[v1alpha1.AnnotationChecks]
		switch {
		case inCEL && o.Kind == "ValidatingAdmissionPolicyBinding": // its policy has them too
		case inCEL:
			for check := range strings.SplitSeq(checks, ",") {
				policy, _, _ := strings.Cut(check, "/")
				names = append(names, policy)
			}
		case o.Metadata.Namespace != "":
			names = append(names, o.Metadata.Namespace+"/"+o.Metadata.Name)
		default:
			names = append(names, o.Metadata.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// without returns the elements of a list that are not in another one.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// check returns an error if the answer contradicts itself, or misses what an engine always says: an empty object is
// not the verdict that nothing is blocked.
func (r EvaluateResult) check() error {
	if r.Results == nil {
		return errors.New("it has no list of results")
	}
	for _, rule := range r.Results {
		switch {
		case rule.Policy == "" || rule.Rule == "" || rule.Result == "":
			return errors.New("a result misses its policy, its rule or its outcome")
		case rule.Blocks && !r.Blocked:
			return fmt.Errorf("the rule %s of %s blocks what is not blocked", rule.Rule, rule.Policy)
		}
	}
	return nil
}

// check returns an error unless exactly one field is set, and is complete.
func (e Evaluation) check() error {
	if err := oneOf(e.Result != nil, e.Error); err != nil || e.Error != nil {
		return err
	}
	return e.Result.check()
}

// check returns an error unless each of the requests got an answer.
func (r EvaluateManyResult) check(requests int) error {
	if len(r.Results) != requests {
		return fmt.Errorf("it has %d answers to %d requests", len(r.Results), requests)
	}
	for i, e := range r.Results {
		if err := e.check(); err != nil {
			return fmt.Errorf("answer %d of %d: %w", i+1, requests, err)
		}
	}
	return nil
}
