package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

var (
	// opusSilence is one 20 ms frame: CELT, fullband, mono, no sound.
	opusSilence = []byte{0xf8, 0xff, 0xfe}
	// vp8Keyframe is a whole 16x16 picture of one colour: any decoder can start at any of them, so that no request for
	// a keyframe needs an answer.
	vp8Keyframe, _ = hex.DecodeString("7001009d012a100010000fc0fe2598027401400000febbae4b7e852c8000")
)

// How many bytes of a frame, and how many frames a second, a person's camera and voice are: 1500 and 32 kbit/s.
const (
	cameraBytes, cameraFrames = 6250, 30
	voiceBytes                = 80
)

// constantFrames plays the same frame for ever.
type constantFrames struct {
	lksdk.BaseSampleProvider
	frame media.Sample
}

func (f *constantFrames) NextSample(context.Context) (media.Sample, error) {
	return f.frame, nil
}

func (c *client) publish(source livekit.TrackSource) error {
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	frame := media.Sample{Data: vp8Keyframe, Duration: time.Second / 10}
	options := &lksdk.TrackPublicationOptions{Name: sourceName(source), Source: source, VideoWidth: 16, VideoHeight: 16}
	if source == livekit.TrackSource_MICROPHONE || source == livekit.TrackSource_SCREEN_SHARE_AUDIO {
		codec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
		frame = media.Sample{Data: opusSilence, Duration: 20 * time.Millisecond}
		options = &lksdk.TrackPublicationOptions{Name: sourceName(source), Source: source}
	}
	if c.load {
		if codec.MimeType == webrtc.MimeTypeVP8 {
			frame = media.Sample{Data: append(vp8Keyframe[:len(vp8Keyframe):len(vp8Keyframe)], make([]byte, cameraBytes-len(vp8Keyframe))...), Duration: time.Second / cameraFrames}
		} else {
			frame.Data = append(opusSilence[:len(opusSilence):len(opusSilence)], make([]byte, voiceBytes-len(opusSilence))...)
		}
	}
	track, err := lksdk.NewLocalTrack(codec)
	if err != nil {
		return err
	}
	if err := track.StartWrite(&constantFrames{frame: frame}, nil); err != nil {
		return err
	}
	_, err = c.room.LocalParticipant.PublishTrack(track, options)
	return err
}

func sourceName(source livekit.TrackSource) string {
	return strings.ToLower(source.String())
}

func parseSource(name string) (livekit.TrackSource, error) {
	source, ok := livekit.TrackSource_value[strings.ToUpper(strings.TrimSpace(name))]
	if !ok || source == int32(livekit.TrackSource_UNKNOWN) {
		return 0, fmt.Errorf("no such source: %q", name)
	}
	return livekit.TrackSource(source), nil
}

// trackSources remembers what our tracks were: the server names a track it ends by ID alone, and the SDK forgets it.
type trackSources struct {
	mu   sync.Mutex
	byID map[string]livekit.TrackSource
}

func newSources() *trackSources {
	return &trackSources{byID: map[string]livekit.TrackSource{}}
}

func (t *trackSources) remember(id string, source livekit.TrackSource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[id] = source
}

func (t *trackSources) of(id string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return sourceName(t.byID[id])
}
