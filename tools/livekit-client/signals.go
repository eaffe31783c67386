package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"
)

// signals reads along what the server says on the signalling connection. The SDK keeps to itself some things that tests
// must see: fresh tokens, changed permissions, refusals, and which of the ended tracks the server ended.
type signals struct {
	client     *client
	printToken bool

	mu      sync.Mutex
	self    *livekit.ParticipantInfo
	first   event
	refusal int
	leave   chan livekit.DisconnectReason
	open    int
	closed  *sync.Cond
}

// watchSignals puts itself under the one dialer that the SDK uses for signalling.
func watchSignals(c *client, printToken bool) *signals {
	s := &signals{client: c, printToken: printToken, leave: make(chan livekit.DisconnectReason, 1)}
	s.closed = sync.NewCond(&s.mu)
	var plain net.Dialer
	var secure tls.Dialer
	websocket.DefaultDialer.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.watch(plain.DialContext(ctx, network, addr))
	}
	websocket.DefaultDialer.NetDialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.watch(secure.DialContext(ctx, network, addr))
	}
	// A proxy's own answer would come before the server's, and a test's server is never behind one.
	websocket.DefaultDialer.Proxy = nil
	return s
}

func (s *signals) watch(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &watchedConn{Conn: conn, signals: s}, nil
}

func (s *signals) lastRefusal() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// joined is the `connected` line.
func (s *signals) joined() event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// waitClosed returns when no signalling connection is left, or after the limit.
func (s *signals) waitClosed(limit time.Duration) {
	deadline := time.Now().Add(limit)
	timer := time.AfterFunc(limit, s.closed.Broadcast)
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 && time.Now().Before(deadline) {
		s.closed.Wait()
	}
}

// answered takes the HTTP status with which the server answered a connect or reconnect.
func (s *signals) answered(status int) {
	if status == 101 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = status
	if s.self != nil {
		s.client.events.emit(event{Event: "reconnect-refused", Status: status})
	}
}

func (s *signals) message(raw []byte) {
	var response livekit.SignalResponse
	if err := proto.Unmarshal(raw, &response); err != nil {
		s.client.report("signal", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := response.GetMessage().(type) {
	case *livekit.SignalResponse_Join:
		s.welcome(m.Join)
	case *livekit.SignalResponse_Update:
		for _, p := range m.Update.GetParticipants() {
			if s.self != nil && p.GetSid() == s.self.GetSid() && p.GetState() != livekit.ParticipantInfo_DISCONNECTED {
				s.update(p)
			}
		}
	case *livekit.SignalResponse_TrackUnpublished:
		id := m.TrackUnpublished.GetTrackSid()
		s.client.events.emit(event{Event: "track-unpublished", Source: s.client.published.of(id), Track: id})
	case *livekit.SignalResponse_RefreshToken:
		if s.printToken {
			s.client.events.emit(event{Event: "token-refreshed", Token: m.RefreshToken})
		}
	case *livekit.SignalResponse_RequestResponse:
		s.outcome(m.RequestResponse)
	case *livekit.SignalResponse_Leave:
		if s.self != nil && m.Leave.GetAction() == livekit.LeaveRequest_DISCONNECT {
			select {
			case s.leave <- m.Leave.GetReason():
			default:
			}
		}
	}
}

func (s *signals) outcome(r *livekit.RequestResponse) {
	switch r.GetReason() {
	case livekit.RequestResponse_OK, livekit.RequestResponse_QUEUED:
		return
	}
	refused := event{Event: "request-refused", Reason: r.GetReason().String(), Message: r.GetMessage()}
	if add := r.GetAddTrack(); add != nil {
		refused.Source = sourceName(add.GetSource())
	}
	s.client.events.emit(refused)
}

// welcome takes the answer to a join; the SDK joins again when it could not resume.
func (s *signals) welcome(join *livekit.JoinResponse) {
	if s.self != nil {
		s.update(join.GetParticipant())
		return
	}
	s.self = join.GetParticipant()
	others := []string{}
	for _, p := range join.GetOtherParticipants() {
		others = append(others, p.GetIdentity())
	}
	s.first = event{
		Event:        "connected",
		Identity:     s.self.GetIdentity(),
		Room:         join.GetRoom().GetName(),
		RoomSID:      join.GetRoom().GetSid(),
		Participants: others,
		permissions:  permissionsOf(s.self.GetPermission()),
	}
}

func (s *signals) update(self *livekit.ParticipantInfo) {
	before, after := permissionsOf(s.self.GetPermission()), permissionsOf(self.GetPermission())
	s.self = self
	if !reflect.DeepEqual(before, after) {
		s.client.events.emit(event{Event: "permissions-changed", permissions: after})
	}
}

// watchedConn shows every byte it reads to its parser: first the HTTP answer, then WebSocket frames.
type watchedConn struct {
	net.Conn
	signals *signals
	unread  []byte
	message []byte
	state   watchState
	once    sync.Once
}

type watchState int

const (
	awaitingAnswer watchState = iota
	readingFrames
	notWatching
)

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.state != notWatching {
		c.unread = append(c.unread, p[:n]...)
		c.parse()
	}
	if err != nil {
		c.ended()
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.ended()
	return c.Conn.Close()
}

// ended counts the connection out. The SDK never closes one that the server has closed, so the server's end counts too.
func (c *watchedConn) ended() {
	c.once.Do(func() {
		c.signals.mu.Lock()
		defer c.signals.mu.Unlock()
		c.signals.open--
		c.signals.closed.Broadcast()
	})
}

func (c *watchedConn) parse() {
	if c.state == awaitingAnswer {
		head, rest, whole := bytes.Cut(c.unread, []byte("\r\n\r\n"))
		if !whole {
			return
		}
		status := 0
		if words := bytes.Fields(head); len(words) > 1 {
			status, _ = strconv.Atoi(string(words[1]))
		}
		c.state, c.unread = readingFrames, rest
		if status != 101 {
			c.state = notWatching
		}
		c.signals.answered(status)
	}
	for c.state == readingFrames && c.frame() {
	}
}

// frame takes one whole frame, if there is one. Servers do not mask, and the SDK asks for no compression (RFC 6455, 5.2).
func (c *watchedConn) frame() bool {
	const final, opcode, continuation, textData, binaryData, closing = 0x80, 0x0f, 0x0, 0x1, 0x2, 0x8
	if len(c.unread) < 2 {
		return false
	}
	header, length := 2, uint64(c.unread[1])
	switch {
	case length == 126 && len(c.unread) >= 4:
		header, length = 4, uint64(binary.BigEndian.Uint16(c.unread[2:]))
	case length == 127 && len(c.unread) >= 10:
		header, length = 10, binary.BigEndian.Uint64(c.unread[2:])
	case length > 127:
		c.state = notWatching
		return false
	case length > 125:
		return false
	}
	if uint64(len(c.unread)-header) < length {
		return false
	}
	first, payload := c.unread[0], c.unread[header:header+int(length)]
	c.unread = c.unread[header+int(length):]
	switch first & opcode {
	case binaryData, continuation:
		c.message = append(c.message, payload...)
		if first&final != 0 {
			c.signals.message(c.message)
			c.message = nil
		}
	case closing:
		c.ended()
	case textData:
		// JSON, which LiveKit does not send to a client that speaks protobuf.
		c.state = notWatching
	}
	return true
}
