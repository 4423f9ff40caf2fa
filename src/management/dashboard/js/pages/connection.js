// One connection: who it is, what it said of itself, what flows, which channels it has.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { bytes, span, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Bytes, Facts, Head, Loaded, Panel, State, Table, Tile, When } from "../ui/bits.js";
import { ages, BYTES, Chart, Range, rates, together } from "../ui/chart.js";
import { ChannelTable } from "./channels.js";
import { closeAll } from "./connections.js";

export default function Connection({ parts: [name] }) {
  const seconds = useStore(range);
  const at = path`connections/${name}`;
  const seen = usePoll(async (signal) => {
    const [connection, channels] = await Promise.all([get(at, ages(seconds, "data_rates"), { signal }), get(`${at}/channels`, {}, { signal })]);
    return { connection, channels };
  }, [at, seconds]);
  return html`<${Loaded} from=${seen}>${({ connection, channels }) => html`
    <${Head} trail=${[["Connections", "#/connections"]]} title=${connection.user_provided_name ?? name} badges=${html`<${State} state=${connection.state} /><${Badge} tone=${connection.ssl ? "ok" : "quiet"}>${connection.ssl ? connection.ssl_protocol ?? "TLS" : "not encrypted"}</>`}>
      <${Range} /><button class="quiet-danger" onClick=${() => closeAll([connection], () => { location.hash = "#/connections"; })}>Close</button></>
    <div class="tiles">
      <${Tile} label="Received" value=${bytes(Math.round(connection.recv_oct_details.rate))} unit="/s" title="${bytes(connection.recv_oct)} in all" />
      <${Tile} label="Sent" value=${bytes(Math.round(connection.send_oct_details.rate))} unit="/s" title="${bytes(connection.send_oct)} in all" />
      <${Tile} label="Channels" value=${whole(connection.channels)} />
      <${Tile} label="Not yet sent" value=${bytes(connection.send_pend)} note="waits for the client to read" />
    </div>
    <${Panel}><${Chart} title="Traffic" unit="bytes per second" steps=${BYTES} format=${(n) => bytes(n)} series=${[{ label: "Received", color: "--c1" }, { label: "Sent", color: "--c2" }]} data=${together(rates, [connection.recv_oct_details, connection.send_oct_details])} /></>
    <${Panel} title="Channels" class="flush">${channels.length ? html`<${ChannelTable} rows=${channels} />` : html`<p class="note pad">It has none.</p>`}</>
    <div class="grid">
      <${Panel} title="Connection"><${Facts} rows=${[
        ["User", connection.user], ["Vhost", html`<a href=${link("vhosts", connection.vhost)}>${connection.vhost}</a>`], ["From", html`<span class="mono">${connection.peer_host}:${connection.peer_port}</span>`], ["To", html`<span class="mono">${connection.host}:${connection.port}</span>`],
        ["Connected", html`<${When} at=${connection.connected_at} />`], ["Protocol", connection.protocol], ["Login by", connection.auth_mechanism], ["Heartbeat", connection.timeout ? `${connection.timeout} s` : "none"],
        ["Largest frame", html`<${Bytes} value=${connection.frame_max} />`], ["Channels at most", whole(connection.channel_max)], ["Cipher", connection.ssl_cipher], ["Certificate", connection.peer_cert_subject], ["Issued by", connection.peer_cert_issuer], ["Valid", connection.peer_cert_validity],
      ]} /></>
      <${Panel} title="What the client says of itself"><${Table} value=${connection.client_properties} /></>
    </div>`}</>`;
}
