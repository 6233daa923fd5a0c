/* The yardstick: what a careful C programmer gets from one core, in vectors of AVX-512, else AVX2. See yardstick.py.

   Integers are those of docs/numerics.md for the words that the engine's graphs have: messages and B, C of 16 bits,
   factors of 16, words of 24, shifts of 8 and more. Rows are padded to 64 columns, states and sums to 16 channels. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512BW__
#define LANES 16
typedef __m512i R;
#define OP(name) _mm512_##name
#define ALL(name) _mm512_##name##_si512
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define WIDEN(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define WIDEN16(p) _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#define TILE 16
typedef __m512d D;
#define DOUBLE(p) _mm512_cvtepi32_pd(_mm256_loadu_si256((const __m256i *)(p)))
#define TRUNC(x) _mm512_roundscale_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define SHORT(x) _mm512_cvttpd_epi32(x)
#define JOIN(a, b) _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1)
#else
#define LANES 8
typedef __m256i R;
#define OP(name) _mm256_##name
#define ALL(name) _mm256_##name##_si256
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define WIDEN(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define WIDEN16(p) _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define TILE 8
typedef __m256d D;
#define DOUBLE(p) _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(p)))
#define TRUNC(x) _mm256_round_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#define SHORT(x) _mm256_cvttpd_epi32(x)
#define JOIN(a, b) _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1)
#endif
#define FIT(x, limit) OP(min_pd)(OP(max_pd)(x, OP(set1_pd)(-(limit))), OP(set1_pd)(limit))
#define ADD OP(add_epi32)
#define SUB OP(sub_epi32)
#define MUL OP(mullo_epi32)
#define SET OP(set1_epi32)
#define SRA(v, n) OP(srai_epi32)(v, n)
#define SRL(v, n) OP(srli_epi32)(v, n)
#define SLL(v, n) OP(slli_epi32)(v, n)
#define AND(a, b) ALL(and)(a, b)
#define XOR(a, b) ALL(xor)(a, b)
#define MIN OP(min_epi32)
#define MAX OP(max_epi32)
#define BLOCK 252 /* rows of int8 that an int16 holds */
#define WORD 8388607

#define RING 128   /* steps whose spikes a layer remembers, twice a chunk */
#define ROOM 16    /* words that a list may be written beyond its end */

typedef struct { const int8_t *w; const int32_t *nonzero; int pre, post, source; } Edge;
typedef struct { int n, dv, threshold, first, last; int32_t *v; int *spikes, *counts; } Layer;

static inline R clip(R x, int limit) { return MIN(MAX(x, SET(-limit)), SET(limit)); }

/* sign(x) (|x| m >> s) for |x| < 2^23, 0 <= m < 2^16, s >= 8: |x| = 256 a + b, and the low 8 bits of a product with 256
   do not reach what is left: (a m + (b m >> 8)) >> (s - 8), all below 2^31 + 2^16 */
static inline R product(R x, R m, __m128i shift) {
    R sign = SRA(x, 31), size = OP(abs_epi32)(x);
    R p = ADD(MUL(SRL(size, 8), m), SRL(MUL(AND(size, SET(255)), m), 8));
    return SUB(XOR(OP(srl_epi32)(p, shift), sign), sign);
}

static inline __m128i less8(int shift) { return _mm_cvtsi32_si128(shift - 8); }

/* one of 64 words */
static inline R look_up(const int32_t *table, R at) {
#if LANES == 16
    __m512i low = _mm512_permutex2var_epi32(LOAD(table), at, LOAD(table + 16));
    __m512i high = _mm512_permutex2var_epi32(LOAD(table + 32), at, LOAD(table + 48));
    return _mm512_mask_blend_epi32(_mm512_test_epi32_mask(at, SET(32)), low, high);
#else
    return _mm256_i32gather_epi32(table, at, 4);
#endif
}

/* 2^-p in units of 2^-20; the table packs 13 bits of step over 19 of value */
static inline R exp2_minus(R p, const int32_t *table) {
    R word = look_up(table, AND(SRL(p, 14), SET(63)));
    R left = ADD(AND(word, SET((1 << 19) - 1)), SET((1 << 19) + 1)), step = ADD(SRL(word, 19), SET(5678));
    return OP(srlv_epi32)(SUB(left, SRL(ADD(MUL(step, AND(p, SET(16383))), SET(16383)), 14)), SRL(p, 20));
}

/* add rows of int8 over some registers of columns; the sums stay in them */
static inline __attribute__((always_inline)) void tile(const int registers, const int8_t *w, const int *s, int count,
                                                       int n, int32_t *sum) {
    R a[registers];
    int16_t block[32 * registers] __attribute__((aligned(64)));
    for (int i = 0; i < registers; i++) a[i] = ALL(setzero)();
    for (int k = 0; k < count; k++)
        for (int i = 0; i < registers; i++)
            a[i] = OP(add_epi16)(a[i], WIDEN(w + (long)s[k] * n + i * 2 * LANES));
    for (int i = 0; i < registers; i++) STORE(block + i * 2 * LANES, a[i]);
    for (int j = 0; j < registers * 2 * LANES; j += LANES) STORE(sum + j, ADD(LOAD(sum + j), WIDEN16(block + j)));
}

static void add_rows(const int8_t *w, const int *s, int count, int n, int32_t *sum) {
    enum { COLUMNS = 2 * LANES };
    for (int done = 0; done < count; done += BLOCK) {
        int some = count - done < BLOCK ? count - done : BLOCK, j = 0;
        for (; j + TILE * COLUMNS <= n; j += TILE * COLUMNS) tile(TILE, w + j, s + done, some, n, sum + j);
        for (; j + 4 * COLUMNS <= n; j += 4 * COLUMNS) tile(4, w + j, s + done, some, n, sum + j);
        for (; j < n; j += COLUMNS) tile(1, w + j, s + done, some, n, sum + j);
    }
}

/* list the lanes of a mask */
static inline int list(unsigned mask, int j, int *out) {
#if LANES == 16
    __m512i at = _mm512_add_epi32(_mm512_set1_epi32(j),
                                  _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    if (mask) _mm512_storeu_si512(out, _mm512_maskz_compress_epi32((__mmask16)mask, at));
    return __builtin_popcount(mask);
#else
    int count = 0;
    for (; mask; mask &= mask - 1) out[count++] = j + __builtin_ctz(mask);
    return count;
#endif
}

static int fired_of(const uint8_t *x, int n, int *out) {
    int count = 0;
    for (int j = 0; j < n; j += 8) {
        uint64_t word;
        memcpy(&word, x + j, 8);
        for (; word; word &= word - 1) out[count++] = j + (__builtin_ctzll(word) >> 3);
    }
    return count;
}

/* du = 4095: the current is the input; |v| (4096 - dv) >> 12 in 32 bits */
static int lif(int n, int factor, int threshold, const int32_t *sum, int32_t *v, int *out) {
    int count = 0;
    R f = SET(factor), low = SET(4095), top = SET(threshold);
    for (int j = 0; j < n; j += LANES) {
        R w = LOAD(v + j), u = ADD(SRA(SLL(SUB(SLL(LOAD(sum + j), 6), SET(1)), 8), 8), SET(1));
        R rest = SRL(ADD(MUL(AND(w, low), f), AND(SRA(w, 31), low)), 12);
        R x = clip(ADD(ADD(MUL(SRA(w, 12), f), rest), u), WORD);
#if LANES == 16
        __mmask16 fired = _mm512_cmpgt_epi32_mask(x, top);
        STORE(v + j, _mm512_maskz_mov_epi32((__mmask16)~fired, x));
#else
        R over = _mm256_cmpgt_epi32(x, top);
        unsigned fired = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(over));
        STORE(v + j, _mm256_andnot_si256(over, x));
#endif
        count += list(fired, j, out + count);
    }
    return count;
}

static inline int *list_of(const Layer *layer, int t) { return layer->spikes + (long)(t & (RING - 1)) * (layer->n + ROOM); }

static inline int count_of(const Layer *layer, int t) { return layer->counts[t & (RING - 1)]; }

static long nonzero_of(const int32_t *s, int count, const int32_t *nonzero) {
    long total = 0;
    for (int k = 0; k < count; k++) total += nonzero[s[k]];
    return total;
}

enum { GATHER = 1, FIRE = 2, COUNT = 4 };

/* Steps t0 to t1 of all layers, one after the other, so that a layer's weights stay near; every synapse takes a step.
   Layer 0 is the input, whose spikes are there. Returned is how many fired, or how many synapses were counted. */
static long play(int layers, const Layer *layer, const Edge *edge, int t0, int t1, int what, int32_t *sum) {
    long found = 0;
    for (const Layer *to = layer + 1; to < layer + layers; to++)
        for (int t = t0; t < t1; t++) {
            if (what & GATHER) memset(sum, 0, to->n * sizeof *sum);
            for (int e = to->first; e < to->last; e++) {
                const Layer *from = layer + edge[e].source;
                const int *s = list_of(from, t - 1), count = count_of(from, t - 1);
                if (what & GATHER) add_rows(edge[e].w, s, count, to->n, sum);
                if (what & COUNT && edge[e].nonzero) found += nonzero_of(s, count, edge[e].nonzero);
            }
            if (what & FIRE) {
                int *counts = to->counts + (t & (RING - 1));
                *counts = lif(to->n, 4096 - to->dv, to->threshold << 6, sum, to->v, list_of(to, t));
                found += *counts;
            }
        }
    return found;
}

/* x (steps, n) of 0 and 1, some steps a chunk: one if a layer reads itself or a later one. Returns the spikes of all. */
long run(int layers, Layer *layer, Edge *edge, int steps, int chunk, const uint8_t *x, int32_t *sum) {
    long spikes = 0;
    for (int t0 = 0; t0 < steps; t0 += chunk) {
        int t1 = t0 + chunk < steps ? t0 + chunk : steps;
        for (int t = t0; t < t1; t++)
            layer->counts[t & (RING - 1)] = fired_of(x + (long)t * layer->n, layer->n, list_of(layer, t));
        spikes += play(layers, layer, edge, t0, t1, GATHER | FIRE, sum);
    }
    return spikes;
}

/* parts of a step, over those that are still remembered, many times; see benchmarks/parts.py */
long parts(int layers, Layer *layer, Edge *edge, int start, int steps, int chunk, int turns, int what, int32_t *sum) {
    long found = 0;
    for (int turn = 0; turn < turns; turn++)
        for (int t = start; t < start + steps; t += chunk) found += play(layers, layer, edge, t, t + chunk, what, sum);
    return found;
}

void rows(int steps, const int8_t *w, const int *s, int count, int n, int32_t *sum) {
    for (int t = 0; t < steps; t++) add_rows(w, s, count, n, sum);
}

void lifs(int steps, int n, int factor, int threshold, const int32_t *sum, int32_t *v, int *out) {
    for (int t = 0; t < steps; t++) lif(n, factor, threshold, sum, v, out);
}

/* steps of a dense synapse on graded messages of 16 bits: two rows, interleaved when laid out, a multiply-add */
void products(int steps, const int8_t *pairs, const int16_t *m, int pre, int n, int32_t *sum) {
    for (int t = 0; t < steps; t++) {
        int j = 0;
        for (; j + 4 * LANES <= n; j += 4 * LANES) {
            R a[4];
            for (int i = 0; i < 4; i++) a[i] = ALL(setzero)();
            for (int k = 0; k < pre; k += 2) {
                int32_t two;
                memcpy(&two, m + k, 4);
                for (int i = 0; i < 4; i++)
                    a[i] = ADD(a[i], OP(madd_epi16)(WIDEN(pairs + (long)k * n + 2 * (j + i * LANES)), SET(two)));
            }
            for (int i = 0; i < 4; i++) STORE(sum + j + i * LANES, ADD(LOAD(sum + j + i * LANES), a[i]));
        }
        for (; j < n; j += LANES) {
            R a = ALL(setzero)();
            for (int k = 0; k < pre; k += 2) {
                int32_t two;
                memcpy(&two, m + k, 4);
                a = ADD(a, OP(madd_epi16)(WIDEN(pairs + (long)k * n + 2 * j), SET(two)));
            }
            STORE(sum + j, ADD(LOAD(sum + j), a));
        }
    }
}

/* (sum factor >> shift) + bias of half as many lanes: in doubles, whose 53 bits hold 24 x 16; 2^-shift is exact */
static inline D rescale(const int32_t *sum, const int32_t *factor, const int32_t *bias, double scale) {
    D product = OP(mul_pd)(FIT(DOUBLE(sum), WORD), DOUBLE(factor));
    return OP(add_pd)(TRUNC(OP(mul_pd)(product, OP(set1_pd)(scale))), DOUBLE(bias));
}

static inline R rescaled(const int32_t *sum, const int32_t *factor, const int32_t *bias, double scale, int limit) {
    enum { HALF = LANES / 2 };
    D low = rescale(sum, factor, bias, scale), high = rescale(sum + HALF, factor + HALF, bias + HALF, scale);
    return JOIN(SHORT(FIT(low, limit)), SHORT(FIT(high, limit)));
}

static inline double down(int shift) { return 1.0 / (double)(1LL << shift); }

/* steps of a relay (rule N8) */
void relays(int steps, int n, const int32_t *sum, const int32_t *factor, const int32_t *bias, int shift, int32_t *out) {
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < n; j += LANES)
            STORE(out + j, rescaled(sum + j, factor + j, bias + j, down(shift), 32767));
}

/* steps of a readout (rule N10) */
void readouts(int steps, int n, const int32_t *sum, const int32_t *factor, const int32_t *bias, int shift, int decay,
              int32_t *v, int32_t *out) {
    D kept = OP(set1_pd)(decay / 65536.0);
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < n; j += LANES / 2) {
            D x = rescale(sum + j, factor + j, bias + j, down(shift));
            x = FIT(OP(add_pd)(TRUNC(OP(mul_pd)(DOUBLE(v + j), kept)), x), WORD);
#if LANES == 16
            _mm256_storeu_si256((__m256i *)(v + j), SHORT(x));
            _mm256_storeu_si256((__m256i *)(out + j), SHORT(x));
#else
            _mm_storeu_si128((__m128i *)(v + j), SHORT(x));
            _mm_storeu_si128((__m128i *)(out + j), SHORT(x));
#endif
        }
}

/* ln(1 + exp z), z in units of 2^-16, the answer of 2^-20: the table packs the step over 16 bits of value */
static inline R softplus(R z, const int32_t *exp2, const int32_t *log) {
    R size = OP(abs_epi32)(z), p = ADD(MUL(SRL(size, 8), SET(47274)), SRL(MUL(AND(size, SET(255)), SET(47274)), 8));
    R e = exp2_minus(MIN(SRL(p, 3), SET((1 << 24) - 1)), exp2);
    R at = MIN(e, SET((1 << 20) - 1)), word = look_up(log, SRL(at, 15));
    R g = SUB(AND(word, SET(65535)), SRL(ADD(MUL(SRL(word, 16), AND(at, SET(32767))), SET(32767)), 15));
    R soft = SRL(ADD(MUL(SRL(e, 7), g), SRL(MUL(AND(e, SET(127)), g), 7)), 8);
    return MIN(ADD(SLL(MAX(z, SET(0)), 4), soft), SET(WORD));
}

typedef struct { int states, channels, u, dt, alpha, du, b, c, d; } Shape;

/* steps of a scan (rule N9): gates, then h <- decay h + du B, y = sum C h; scratch (2, channels) */
void scan(int steps, const Shape *s, const int32_t *u_sum, const int32_t *dt_sum, const int32_t *b, const int32_t *c,
          const int32_t *own, const int32_t *alpha, const int32_t *exp2, const int32_t *log, int32_t *h, int32_t *out) {
    int n = s->channels;
    for (int t = 0; t < steps; t++)
        for (int d = 0; d < n; d += LANES) {
            R z = rescaled(dt_sum + d, own + d, own + n + d, down(s->dt), WORD);
            R u = rescaled(u_sum + d, own + 2 * n + d, own + 3 * n + d, down(s->u), 32767);
            R delta = softplus(z, exp2, log), sign = SRA(u, 31);
            R du = clip(product(SUB(XOR(delta, sign), sign), OP(abs_epi32)(u), less8(s->du)), WORD);
            R skip = LOAD(own + 4 * n + d);
            R y = product(SUB(XOR(skip, sign), sign), OP(abs_epi32)(u), less8(s->d));
            R high = SRL(delta, 8), low = AND(delta, SET(255));
            for (int i = 0; i < s->states; i++) {
                long at = (long)i * n + d;
                R a = LOAD(alpha + at), p = ADD(MUL(high, a), SRL(MUL(low, a), 8));
                p = MIN(OP(srl_epi32)(p, less8(s->alpha)), SET((1 << 24) - 1));
                R keep = MIN(SRL(exp2_minus(p, exp2), 4), SET(65535)), word = LOAD(h + at);
                R rest = SRL(ADD(MUL(AND(word, SET(65535)), keep), AND(SRA(word, 31), SET(65535))), 16);
                int bs = b[i] >> 31, cs = c[i] >> 31;
                R drive = product(du, SET((b[i] ^ bs) - bs), less8(s->b));
                word = ADD(ADD(MUL(SRA(word, 16), keep), rest), SUB(XOR(drive, SET(bs)), SET(bs)));
                word = clip(word, WORD);
                STORE(h + at, word);
                R said = product(word, SET((c[i] ^ cs) - cs), less8(s->c));
                y = ADD(y, SUB(XOR(said, SET(cs)), SET(cs)));
            }
            STORE(out + d, clip(y, (1 << 17) - 1));
        }
}

/* steps of the count of synapses that are not zero: of `count` neurons that fired, or of those of n whose m is not 0 */
long count_spikes(int steps, const int32_t *s, int count, const int32_t *nonzero) {
    long total = 0;
    for (int t = 0; t < steps; t++) total += nonzero_of(s, count, nonzero);
    return total;
}

long count_values(int steps, const int32_t *m, int n, const int32_t *nonzero) {
    long total = 0;
    for (int t = 0; t < steps; t++) {
        int32_t one = 0;
        for (int j = 0; j < n; j++) one += m[j] ? nonzero[j] : 0;
        total += one;
    }
    return total;
}

/* steps of messages added one to one */
void values(int steps, const int32_t *m, int n, int32_t *sum) {
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < n; j += LANES) STORE(sum + j, ADD(LOAD(sum + j), LOAD(m + j)));
        __asm__ volatile("" ::: "memory");
    }
}

/* read n words, again and again, to measure memory bandwidth */
long read_all(const int64_t *x, long n, long turns) {
    R s[8];
    for (int i = 0; i < 8; i++) s[i] = ALL(setzero)();
    for (long turn = 0; turn < turns; turn++) {
        for (long k = 0; k + 64 * LANES / 16 <= n; k += 64 * LANES / 16)
            for (int i = 0; i < 8; i++) s[i] = OP(add_epi64)(s[i], LOAD(x + k + i * LANES / 2));
        __asm__ volatile("" ::: "memory");
    }
    for (int i = 1; i < 8; i++) s[0] = OP(add_epi64)(s[0], s[i]);
    int64_t all[LANES / 2];
    STORE(all, s[0]);
    long total = 0;
    for (int i = 0; i < LANES / 2; i++) total += all[i];
    return total;
}
