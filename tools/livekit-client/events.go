package main

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/livekit/protocol/livekit"
)

// event is one line of output. Identity is our own in the first line and somebody else's after it.
//
//	connected            identity, room, roomSid, participants (others already there), and the permissions
//	join-failed          message, status (the HTTP status of a refusal)
//	participant-joined   identity
//	participant-left     identity, reason
//	track-published      source, track (ours)
//	track-unpublished    source, track (ours, ended by the server)
//	track-subscribed     identity, kind (audio, video), source, track
//	media-received       the same, once its media really arrives
//	permissions-changed  the permissions
//	token-refreshed      token (only when asked for by flag)
//	request-refused      reason, message, source: the server's no to something we asked for (source: to a publication)
//	data-received        identity (absent when the server itself sent it), text
//	reconnecting, reconnected
//	reconnect-refused    status (HTTP)
//	error                message
//	disconnected         reason, LiveKit's DisconnectReason
type event struct {
	Event        string   `json:"event"`
	Identity     string   `json:"identity,omitempty"`
	Room         string   `json:"room,omitempty"`
	RoomSID      string   `json:"roomSid,omitempty"`
	Participants []string `json:"participants,omitzero"`
	Kind         string   `json:"kind,omitempty"`
	Source       string   `json:"source,omitempty"`
	Track        string   `json:"track,omitempty"`
	Text         string   `json:"text,omitempty"`
	Token        string   `json:"token,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	Message      string   `json:"message,omitempty"`
	Status       int      `json:"status,omitempty"`
	*permissions
}

// permissions are what the server lets this participant do. Empty sources mean every source, as in LiveKit.
type permissions struct {
	CanPublish     bool     `json:"canPublish"`
	CanSubscribe   bool     `json:"canSubscribe"`
	CanPublishData bool     `json:"canPublishData"`
	Sources        []string `json:"sources"`
}

func permissionsOf(p *livekit.ParticipantPermission) *permissions {
	sources := []string{}
	for _, source := range p.GetCanPublishSources() {
		sources = append(sources, sourceName(source))
	}
	return &permissions{p.GetCanPublish(), p.GetCanSubscribe(), p.GetCanPublishData(), sources}
}

// events writes the lines, one at a time: first the one given to open, last the one given to finish. What happens during
// the join is kept back until then.
type events struct {
	mu    sync.Mutex
	out   *json.Encoder
	phase phase
	held  []event
}

type phase int

const (
	joining phase = iota
	inRoom
	over
)

func newEvents(w io.Writer) *events {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return &events{out: out}
}

func (e *events) open(first event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.phase = inRoom
	e.write(first)
	for _, ev := range e.held {
		e.write(ev)
	}
	e.held = nil
}

func (e *events) emit(ev event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.phase {
	case joining:
		e.held = append(e.held, ev)
	case inRoom:
		e.write(ev)
	}
}

func (e *events) finish(last event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.phase = over
	e.write(last)
}

func (e *events) write(ev event) {
	// With stdout gone nobody is left to tell, and the end of stdin ends this program.
	_ = e.out.Encode(ev)
}
