// Command livekit-client is a real LiveKit client without a browser, for tests: it joins a room with the media token in
// LIVEKIT_TOKEN, may publish synthetic tracks, and tells what happens to it as one JSON object per line on stdout.
//
// It leaves when stdin ends, so that a test that dies leaves no client behind.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/stdr"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

// mediaProof is how many RTP packets of a track must arrive before its media counts as received: enough that a stray
// probe packet does not.
const mediaProof = 10

// patience is how long joining may take. The SDK's own five seconds are too few where forty clients start on two cores.
const patience = 30 * time.Second

const exitUsage, exitJoinFailed = 2, 3

func main() {
	os.Exit(run())
}

func run() int {
	url := flag.String("url", "", "LiveKit `URL` (ws://... or wss://...)")
	publish := flag.String("publish", "", "comma-separated `sources`: microphone, camera, screen_share, screen_share_audio")
	load := flag.Bool("load", false, "send as many bytes as a person's devices do")
	seconds := flag.Float64("seconds", 0, "leave after this many seconds instead of at the end of stdin")
	printToken := flag.Bool("print-refreshed-token", false, "print the fresh tokens the server sends")
	verbose := flag.Bool("verbose", false, "print the SDK's log on stderr")
	flag.Parse()
	token := os.Getenv("LIVEKIT_TOKEN")
	if *url == "" || token == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: LIVEKIT_TOKEN=... livekit-client --url ws://host:port [flags]")
		flag.PrintDefaults()
		return exitUsage
	}
	var sources []livekit.TrackSource
	for _, name := range strings.FieldsFunc(*publish, func(r rune) bool { return r == ',' }) {
		source, err := parseSource(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "livekit-client:", err)
			return exitUsage
		}
		sources = append(sources, source)
	}
	sink := logr.Discard()
	if *verbose {
		sink = stdr.New(nil)
	}
	lksdk.SetLogger(logger.LogRLogger(sink))

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	commands := make(chan string, 64)
	if *seconds > 0 {
		time.AfterFunc(time.Duration(*seconds*float64(time.Second)), cancel)
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			commands <- lines.Text()
		}
		if *seconds <= 0 {
			cancel()
		}
	}()

	c := &client{load: *load, events: newEvents(os.Stdout), ended: make(chan livekit.DisconnectReason, 1), published: newSources()}
	signals := watchSignals(c, *printToken)
	c.room = lksdk.NewRoom(c.callbacks())
	joined := make(chan error, 1)
	go func() {
		joined <- c.room.JoinWithContextAndToken(stop, *url, token, lksdk.WithConnectTimeout(patience))
	}()
	select {
	case err := <-joined:
		if err != nil {
			c.events.finish(event{Event: "join-failed", Message: err.Error(), Status: signals.lastRefusal()})
			return exitJoinFailed
		}
	case reason := <-signals.leave:
		// The server took us in and put us out before our media were there, for which the SDK would go on waiting.
		c.events.open(signals.joined())
		c.events.finish(event{Event: "disconnected", Reason: reason.String()})
		return 0
	}
	c.events.open(signals.joined())

	go func() {
		for _, source := range sources {
			c.report("publish", c.publish(source))
		}
	}()
	go func() {
		for line := range commands {
			c.command(line)
		}
	}()

	reason := livekit.DisconnectReason_CLIENT_INITIATED
	select {
	case reason = <-c.ended:
	case <-stop.Done():
		c.room.Disconnect()
		// The SDK closes in the background; leaving before it is done would look like a lost connection to the others.
		signals.waitClosed(time.Second)
	}
	c.events.finish(event{Event: "disconnected", Reason: reason.String()})
	return 0
}

type client struct {
	events    *events
	room      *lksdk.Room
	ended     chan livekit.DisconnectReason
	published *trackSources
	load      bool
}

func (c *client) callbacks() *lksdk.RoomCallback {
	return &lksdk.RoomCallback{
		OnDisconnected: func() {
			// The SDK's own reasons fold several of the protocol's into one, so the raw one is asked for.
			select {
			case c.ended <- c.room.DisconnectReason():
			default:
			}
		},
		OnParticipantConnected: func(p *lksdk.RemoteParticipant) {
			c.events.emit(event{Event: "participant-joined", Identity: p.Identity()})
		},
		OnParticipantDisconnected: func(p *lksdk.RemoteParticipant) {
			c.events.emit(event{Event: "participant-left", Identity: p.Identity(), Reason: p.DisconnectReason().String()})
		},
		OnReconnecting: func() { c.events.emit(event{Event: "reconnecting"}) },
		OnReconnected:  func() { c.events.emit(event{Event: "reconnected"}) },
		ParticipantCallback: lksdk.ParticipantCallback{
			OnLocalTrackPublished: func(pub *lksdk.LocalTrackPublication, _ *lksdk.LocalParticipant) {
				c.published.remember(pub.SID(), pub.Source())
				c.events.emit(event{Event: "track-published", Source: sourceName(pub.Source()), Track: pub.SID()})
			},
			OnTrackSubscribed: func(t *webrtc.TrackRemote, pub *lksdk.RemoteTrackPublication, p *lksdk.RemoteParticipant) {
				about := event{Event: "track-subscribed", Identity: p.Identity(), Kind: string(pub.Kind()), Source: sourceName(pub.Source()), Track: pub.SID()}
				c.events.emit(about)
				go c.receive(t, about)
			},
			OnDataPacket: func(packet lksdk.DataPacket, params lksdk.DataReceiveParams) {
				if user, ok := packet.(*lksdk.UserDataPacket); ok {
					c.events.emit(event{Event: "data-received", Identity: params.SenderIdentity, Text: string(user.Payload)})
				}
			},
		},
	}
}

// receive reads the track until it ends: an unread track would fill the SDK's buffers.
func (c *client) receive(t *webrtc.TrackRemote, about event) {
	for packets := 1; ; packets++ {
		if _, _, err := t.ReadRTP(); err != nil {
			return
		}
		if packets == mediaProof {
			about.Event = "media-received"
			c.events.emit(about)
		}
	}
}

// command does one line of stdin: "say TEXT" or "publish SOURCE".
func (c *client) command(line string) {
	verb, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch verb {
	case "":
	case "say":
		data := lksdk.UserData([]byte(argument))
		c.report(verb, c.room.LocalParticipant.PublishDataPacket(data, lksdk.WithDataPublishReliable(true)))
	case "publish":
		source, err := parseSource(argument)
		if err != nil {
			c.report(verb, err)
			return
		}
		// A publication the server refuses only fails by timeout in the SDK: later commands need not wait for it.
		go func() { c.report(verb, c.publish(source)) }()
	default:
		c.report(verb, errors.New("unknown command"))
	}
}

func (c *client) report(what string, err error) {
	if err != nil {
		c.events.emit(event{Event: "error", Message: what + ": " + err.Error()})
	}
}
