// Waits for news of the studio: what other windows have decided, and how the learning goes.
import { ask } from "./ask.js";
import { changed, load, state } from "./store.js";
import { pending } from "./labelling.js";

async function wait() {
  for (;;) {
    try {
      const told = await ask(`/api/news?seen=${state.news}`);
      Object.assign(state, { news: told.news, learning: told.learning, choosing: told.choosing, leaving: told.leaving });
      changed("news");
      await pending();
      if (told.revision > state.revision) { await load(); changed("labels"); }
    } catch {
      await new Promise(done => setTimeout(done, 1500));  // the studio may be back in a moment
    }
  }
}

export const listen = () => { wait(); };
