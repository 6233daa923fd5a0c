/* Convolution by events, in vectors of AVX-512, else AVX2: what a careful C programmer gets from one core. See conv.py.

   Stride 1, a border as wide as half the kernel. Accumulators of 16 bits lie tile, row, column, channel, with a margin
   all around, so that an event adds K runs of R registers and asks nothing; weights lie tile, sender, kernel row, run. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512BW__
#define LANES 32
typedef __m512i V;
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define ADD16 _mm512_add_epi16
#define ADD32 _mm512_add_epi32
#define WIDEN(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define WIDEN16(p) _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#define SIDE 16
#else
#define LANES 16
typedef __m256i V;
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define ADD16 _mm256_add_epi16
#define ADD32 _mm256_add_epi32
#define WIDEN(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define WIDEN16(p) _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define SIDE 8
#endif

/* area: neurons of a sending channel; size: accumulators of a tile; pitch: of a row; tile: of a place; side: columns */
typedef struct { int area, size, pitch, tile, tiles, senders, rows, columns, kernel, registers; } Shape;

static inline __attribute__((always_inline)) void scatter(const int K, const int R, const Shape *s, const int8_t *w,
                                                          const int *event, int count, const int *place, int16_t *acc) {
    int first = 0;
    for (int k = 0; k < count; k++) {
        while (event[k] >= first + s->area) first += s->area, w += K * R * LANES;
        int16_t *to = acc + place[event[k] - first];
        for (int i = 0; i < K; i++, to += s->pitch)
            for (int r = 0; r < R; r++) {
                const int8_t *from = w + (i * R + r) * LANES;
                STORE(to + r * LANES, ADD16(LOAD(to + r * LANES), WIDEN(from)));
            }
    }
}

static void events(const Shape *s, const int8_t *w, const int *event, int count, const int *place, int16_t *acc) {
#define CASE(K, R) case 32 * K + R: scatter(K, R, s, w, event, count, place, acc); break;
    switch (32 * s->kernel + s->registers) {
        CASE(3, 1) CASE(3, 2) CASE(3, 3) CASE(3, 4) CASE(3, 5) CASE(3, 6)
        CASE(5, 1) CASE(5, 2) CASE(5, 3) CASE(5, 4) CASE(5, 5) CASE(5, 10) CASE(3, 12) CASE(5, 20)
    }
}

/* SIDE places by SIDE channels become SIDE channels by SIDE places of 32 bits */
static inline void turn(const int16_t *from, int pitch, V *out) {
#if SIDE == 16
    V a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = WIDEN16(from + i * pitch);
    for (int i = 0; i < 8; i++) {
        b[2 * i] = _mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]);
    }
    for (int q = 0; q < 4; q++) {
        a[4 * q] = _mm512_unpacklo_epi64(b[4 * q], b[4 * q + 2]);
        a[4 * q + 1] = _mm512_unpackhi_epi64(b[4 * q], b[4 * q + 2]);
        a[4 * q + 2] = _mm512_unpacklo_epi64(b[4 * q + 1], b[4 * q + 3]);
        a[4 * q + 3] = _mm512_unpackhi_epi64(b[4 * q + 1], b[4 * q + 3]);
    }
    for (int c = 0; c < 4; c++) {
        V e = _mm512_shuffle_i32x4(a[c], a[c + 4], 0x88), f = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0x88);
        V g = _mm512_shuffle_i32x4(a[c], a[c + 4], 0xdd), h = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0xdd);
        out[c] = _mm512_shuffle_i32x4(e, f, 0x88), out[c + 8] = _mm512_shuffle_i32x4(e, f, 0xdd);
        out[c + 4] = _mm512_shuffle_i32x4(g, h, 0x88), out[c + 12] = _mm512_shuffle_i32x4(g, h, 0xdd);
    }
#else
    V a[8], b[8];
    for (int i = 0; i < 8; i++) a[i] = WIDEN16(from + i * pitch);
    for (int i = 0; i < 4; i++) {
        b[2 * i] = _mm256_unpacklo_epi32(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm256_unpackhi_epi32(a[2 * i], a[2 * i + 1]);
    }
    for (int q = 0; q < 2; q++) {
        a[4 * q] = _mm256_unpacklo_epi64(b[4 * q], b[4 * q + 2]);
        a[4 * q + 1] = _mm256_unpackhi_epi64(b[4 * q], b[4 * q + 2]);
        a[4 * q + 2] = _mm256_unpacklo_epi64(b[4 * q + 1], b[4 * q + 3]);
        a[4 * q + 3] = _mm256_unpackhi_epi64(b[4 * q + 1], b[4 * q + 3]);
    }
    for (int c = 0; c < 4; c++) {
        out[c] = _mm256_permute2x128_si256(a[c], a[c + 4], 0x20);
        out[c + 4] = _mm256_permute2x128_si256(a[c], a[c + 4], 0x31);
    }
#endif
}

/* write a tile's accumulators as sums by channel, row, column, by way of a block in the first cache: channels lie 4096
   bytes apart, which one set of the cache cannot hold; what is written beyond a row's end is written again, or not read */
static void read_out(const Shape *s, const int16_t *acc, int32_t *sum) {
    enum { PLACES = 128, CHANNELS = 32, PITCH = PLACES + SIDE };
    static int32_t block[CHANNELS * PITCH] __attribute__((aligned(64)));
    int half = s->kernel / 2, area = s->rows * s->columns, rows = PLACES / s->columns;
    for (int first = 0; first < s->tile; first += CHANNELS) {
        int some = s->tile - first < CHANNELS ? s->tile - first : CHANNELS;
        for (int row = 0; row < s->rows; row += rows) {
            int few = s->rows - row < rows ? s->rows - row : rows;
            for (int y = 0; y < few; y++)
                for (int x = 0; x < s->columns; x += SIDE)
                    for (int c = 0; c < some; c += SIDE) {
                        V out[SIDE];
                        turn(acc + (row + y + half) * s->pitch + (x + half) * s->tile + first + c, s->tile, out);
                        for (int k = 0; k < SIDE; k++) STORE(block + (c + k) * PITCH + y * s->columns + x, out[k]);
                    }
            for (int c = 0; c < some; c++)
                memcpy(sum + (long)(first + c) * area + row * s->columns, block + c * PITCH, few * s->columns * 4);
        }
    }
}

/* Steps of a layer: the events of step t are event[start[t]] to event[start[t + 1]], rising. ``turned``: sums are written
   as they are counted; else they stay in acc, tile after tile. */
void convolve(int steps, int turned, const Shape *s, const int8_t *w, const int *event, const int *start,
              const int *place, int16_t *acc, int32_t *sum) {
    long block = (long)s->senders * s->kernel * s->registers * LANES;
    for (int t = 0; t < steps; t++)
        for (int tile = 0; tile < s->tiles; tile++) {
            int16_t *mine = acc + (turned ? 0 : (long)tile * (s->size + 64));
            memset(mine, 0, s->size * sizeof *mine);
            events(s, w + tile * block, event + start[t], start[t + 1] - start[t], place, mine);
            if (turned) read_out(s, mine, sum + (long)tile * s->tile * s->rows * s->columns);
            __asm__ volatile("" ::: "memory");
        }
}

int lanes(void) { return LANES; }
