/* The verifier of Chrysalis for C: link libchrysalis_verify.so or libchrysalis_verify.a.
 *
 * Made by cbindgen from client/c/src/lib.rs; docs/guide/c.md shows its use. Apache-2.0. */

#ifndef CHRYSALIS_H
#define CHRYSALIS_H

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Answers a question about evidence.

 `question` is JSON in UTF-8, as docs/guide/c.md describes it. The answer is the verdict, as `chrysalis verify --format json` prints it
 (docs/spec/verdict.schema.json), or `{"error": "..."}` where there is none. Give it to `chrysalis_free`.

 Without `now` in the question, the verdict is as of this machine's clock. Nothing is read from disk, and nobody is asked over the network.
 May be called from any thread. NULL if `question` is NULL.

 # Safety
 `question` is NULL or ends in a NUL.
 */
char *chrysalis_verify(const char *question);

/*
 Frees an answer of `chrysalis_verify`. NULL is let be.

 # Safety
 `answer` is NULL, or came from `chrysalis_verify` and was not freed before.
 */
void chrysalis_free(char *answer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CHRYSALIS_H */
