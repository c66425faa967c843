// An answer as `fetch` gives it.
import { Untrusted, misspoke } from './error.js';

const WITHOUT_BODY = [204, 205, 304];

/** Whether an answer has no body, whatever comes with it. */
export const isBodiless = ({ status, method }) => method === 'HEAD' || WITHOUT_BODY.includes(status);

/** From its head, whose `headers` are pairs, and from what makes the stream of its body, if it has one. */
export function answered({ status, statusText = '', headers, url, method }, stream) {
  if (status >= 300 && status < 400 && status !== 304) throw new Untrusted('redirected', `it answers ${status}, and no redirect is followed`);
  if (headers.some(([name]) => name.toLowerCase() === 'content-encoding')) throw misspoke('it encodes its answer, which nothing asked for');
  let answer;
  try {
    answer = new Response(isBodiless({ status, method }) ? null : stream(), { status, statusText, headers });
  } catch (error) {
    throw misspoke(`its answer has a head that cannot be: ${error.message}`);
  }
  return Object.defineProperty(answer, 'url', { value: url });
}
