package impact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// The types below are the part of SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) that is used here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		ShortDescription sarifText      `json:"shortDescription"`
		FullDescription  sarifText      `json:"fullDescription"`
		Help             sarifText      `json:"help"`
		HelpURI          string         `json:"helpUri,omitempty"`
		Properties       map[string]any `json:"properties"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful        bool                `json:"executionSuccessful"`
		ToolExecutionNotifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level          string          `json:"level"`
		Message        sarifText       `json:"message"`
		AssociatedRule *sarifRuleID    `json:"associatedRule,omitempty"`
		Locations      []sarifLocation `json:"locations"`
	}
	sarifRuleID struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		Level               string             `json:"level"`
		Message             sarifText          `json:"message"`
		Locations           []sarifLocation    `json:"locations"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
		Properties          map[string]any     `json:"properties"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// sarif returns a log with a result for every finding. Exempt findings are suppressed, and
// exceptions that are not needed are left out: nothing is wrong with the workload.
// Every error is a notification, and makes the run unsuccessful.
func (r *Report) sarif(version string) sarifLog {
	run := sarifRun{Tool: sarifTool{Driver: sarifDriver{Name: "gatehouse impact", Version: version, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	for _, c := range r.Controls {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, c.sarif())
	}
	invocation := sarifInvocation{ExecutionSuccessful: true, ToolExecutionNotifications: []sarifNotification{}}
	stages := map[string]string{}
	for _, e := range r.Environments {
		stages[e.Name] = e.bumpText()
	}
	same := map[string]int{} // findings with the same identity: of objects with a generateName
	for _, f := range r.Findings {
		if f.Status == Unneeded {
			continue
		}
		if f.Status != Errored && f.Status != Unknown {
			same[f.identity()]++
			run.Results = append(run.Results, f.sarif(stages[f.Environment], same[f.identity()]))
			continue
		}
		n := sarifNotification{Level: map[Status]string{Errored: "error", Unknown: "warning"}[f.Status], Message: plainText(f.sentence(stages[f.Environment])), Locations: f.locations()}
		if f.Control != "" {
			n.AssociatedRule = &sarifRuleID{ID: f.Control}
		}
		invocation.ExecutionSuccessful = invocation.ExecutionSuccessful && f.Status == Unknown
		invocation.ToolExecutionNotifications = append(invocation.ToolExecutionNotifications, n)
	}
	r.sarifGaps(&invocation)
	run.Invocations = []sarifInvocation{invocation}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// sarifGaps adds a notification for each thing that was not judged.
func (r *Report) sarifGaps(invocation *sarifInvocation) {
	add := func(level, text string, at diag.Position) {
		n := sarifNotification{Level: level, Message: plainText(text), Locations: []sarifLocation{{Physical: physical(at), Logical: []sarifLogical{}}}}
		invocation.ToolExecutionNotifications = append(invocation.ToolExecutionNotifications, n)
	}
	for _, n := range r.NotJudged {
		add("warning", n.sentence(), n.Position)
	}
	for _, d := range r.Unreached {
		add("note", d.Summary, d.Position)
	}
	for _, d := range r.Unread {
		invocation.ExecutionSuccessful = false
		add("error", "not read: "+d.Summary, d.Position)
	}
}

// plainText returns foreign text as a message of SARIF: without links, which are
// [text](target) there, and without mentions of people, where a forge shows it.
func plainText(text string) sarifText {
	return sarifText{Text: mention.ReplaceAllString(strings.ReplaceAll(plain.Line(text), "](", "] ("), "$1@ ")}
}

var mention = regexp.MustCompile(`(^|[^\pL\pN_])@`)

func (c Control) sarif() sarifRule {
	rule := sarifRule{
		ID: c.ID, ShortDescription: plainText(c.Title), FullDescription: plainText(c.Description),
		Help:       sarifText{Text: plainText(c.Description).Text, Markdown: string(markdown.Prose(c.Description))},
		Properties: map[string]any{"tags": []string{c.Category}, "severity": c.Severity},
	}
	if len(c.References) > 0 {
		rule.HelpURI = c.References[0]
		rule.Help.Text += "\n\nSee " + strings.Join(c.References, ", ")
		rule.Help.Markdown += "\n\nSee <" + strings.Join(c.References, ">, <") + ">"
	}
	return rule
}

// sentence describes the finding in a sentence.
func (f Finding) sentence(stage string) string {
	text := fmt.Sprintf("%s (%s): %s: %s", f.Environment, stage, title(f.Status), f.Workload())
	if f.Template != "" {
		text += " (" + f.By + ", template " + f.Template + ")"
	}
	if why := f.why(); why != "" {
		text += ": " + why
	}
	return text
}

// identity is the same for the same finding in another run.
func (f Finding) identity() string {
	return strings.TrimRight(strings.Join([]string{f.Environment, f.Control, f.Workload(), f.Cluster}, "\x00"), "\x00")
}

// sarif returns the finding as a result. number counts the findings with the same identity.
func (f Finding) sarif(stage string, number int) sarifResult {
	identity := f.identity()
	if number > 1 {
		identity += fmt.Sprintf("\x00%d", number)
	}
	id := sha256.Sum256([]byte(identity))
	result := sarifResult{
		RuleID: f.Control, Message: plainText(f.sentence(stage)), Locations: f.locations(),
		Level:               map[Status]string{WouldBlock: "error", Blocked: "error", Warns: "warning", Exempt: "note"}[f.Status],
		PartialFingerprints: map[string]string{"gatehouse/v1": hex.EncodeToString(id[:])},
		Properties:          map[string]any{"environment": f.Environment, "owner": f.Owner, "status": f.Status},
	}
	if f.Status == Exempt {
		result.Suppressions = []sarifSuppression{{Kind: "external", Justification: plainText("exception " + f.why()).Text}}
	}
	return result
}

// locations returns the file, line and name of a workload. A workload in a cluster has
// only a name.
func (f Finding) locations() []sarifLocation {
	at := sarifLocation{Logical: []sarifLogical{{FullyQualifiedName: f.Workload(), Kind: "resource"}}}
	at.Physical = physical(f.Position)
	return []sarifLocation{at}
}

// physical returns a file and line; nil without a file.
func physical(at diag.Position) *sarifPhysical {
	if at.File == "" {
		return nil
	}
	u := url.URL{Path: at.File}
	if path.IsAbs(at.File) {
		u.Scheme = "file"
	}
	p := &sarifPhysical{Artifact: sarifArtifact{URI: u.String()}}
	if at.Line > 0 {
		p.Region = &sarifRegion{StartLine: at.Line}
	}
	return p
}
