/** When the dashboard asks again. */
const AGAIN_MS = 5000;

/**
 * Cuts a stream of events after what there is to tell now, and lets all other answers be.
 *
 * Lambda answers as a whole: a stream that goes on would never arrive. The last event says when to ask again.
 */
export async function cutEvents(response: Response): Promise<Response> {
  const { body, headers, status } = response;
  if (!body || !headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const reader = body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new Response(`${new TextDecoder().decode(value)}event: again\ndata: ${AGAIN_MS}\n\n`, {
    headers,
    status,
  });
}
