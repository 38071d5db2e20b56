package guard

import "encoding/binary"

// Parts of HTTP/2 (RFC 9113, 4.1 and 6) that tell how much of a message has come.
const (
	prefaceSize = 24
	headerSize  = 9

	frameData    = 0
	frameHeaders = 1
	frameReset   = 3

	flagEndStream = 1
	flagPadded    = 8
)

// frame is the header of a frame.
type frame struct {
	size   int
	typ    byte
	flags  byte
	stream uint32
}

// ends reports whether no more frames of the stream follow in this direction, or
// in both.
func (f frame) ends() bool {
	return f.typ == frameReset || (f.typ == frameData || f.typ == frameHeaders) && f.flags&flagEndStream != 0
}

// frames splits the bytes of one direction of a connection into frames. It copies
// nothing but their headers.
type frames struct {
	skip   int // bytes before the next frame
	header [headerSize]byte
	have   int // bytes of header
	now    frame
	left   int // bytes of its payload that have not come
	pad    int // bytes at its end that are padding; -1 until that is known
}

// sink takes what frames finds: the header of each frame, each piece of the
// content of a DATA frame, and the end of each frame.
type sink interface {
	begin(f frame)
	data(f frame, p []byte)
	end(f frame)
}

// read passes on what the next bytes are.
func (f *frames) read(p []byte, to sink) {
	for len(p) > 0 {
		switch {
		case f.skip > 0:
			n := min(f.skip, len(p))
			f.skip, p = f.skip-n, p[n:]
		case f.have < headerSize:
			n := copy(f.header[f.have:], p)
			f.have, p = f.have+n, p[n:]
			if f.have == headerSize {
				f.start()
				to.begin(f.now)
				f.finish(to)
			}
		default:
			n := min(f.left, len(p))
			f.payload(p[:n], to)
			f.left, p = f.left-n, p[n:]
			f.finish(to)
		}
	}
}

func (f *frames) start() {
	h := f.header[:]
	f.now = frame{
		size: int(h[0])<<16 | int(h[1])<<8 | int(h[2]), typ: h[3], flags: h[4],
		stream: binary.BigEndian.Uint32(h[5:]) &^ (1 << 31),
	}
	f.left, f.pad = f.now.size, 0
	if f.now.flags&flagPadded != 0 {
		f.pad = -1
	}
}

// payload passes on what is data in the next bytes of the payload.
func (f *frames) payload(p []byte, to sink) {
	if f.now.typ != frameData {
		return
	}
	left := f.left
	if f.pad < 0 && len(p) > 0 {
		f.pad = int(p[0])
		p, left = p[1:], left-1
	}
	if n := min(len(p), left-f.pad); n > 0 {
		to.data(f.now, p[:n])
	}
}

func (f *frames) finish(to sink) {
	if f.left == 0 {
		f.have = 0
		to.end(f.now)
	}
}
