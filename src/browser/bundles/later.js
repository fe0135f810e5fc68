export default(e,t,n,r,i,a,o,s,c,l,u,d,f,p,m,h,g,ee,te,_,v,y,b,x,S,C,w,T,ne,re,E,D,O)=>{let k,A=l,j=u,M=3e4,N=0;async function P(e,t,n,r){for(t===`refused`&&(N+=M),Date.now()-e>6e4&&(N=0);!n.aborted;){let e=N*(1+Math.random())/2;N=Math.max(N,Math.min(2*N+500,M)),await new Promise(t=>setTimeout(t,e));let t=await fetch(`/app.js`,{method:`HEAD`,cache:`no-store`}).catch(()=>null);if(!n.aborted&&t?.ok)try{return await r(),j(`reloaded`)}catch(e){if(!e?.isUnanswered||e.name===`AbortError`)return}}}let F=o,I=new Set([301,302,303,307,308]),L=0;document.addEventListener(`liveline:state`,()=>L=0);async function R(e,t){if(!I.has(e.status))return;let n=e.headers.get(`location`);if(L+=1,L>20)throw Error(`More than 20 redirects; the last was to ${n}`);await t(F(n,location.href))}let z=E,B=C,V=`liveline-status`,H={late:`The server takes longer than usual.`,resuming:`The connection was lost. Trying again…`,lost:`The connection was lost. What you see may be out of date.`,network:`You are offline.`,request:`The server could not be reached. Nothing was sent or changed.`,handler:`Something went wrong. What you see is not updated any more.`},U=[`online`,`late`,`resuming`,`lost`],W={state:`online`,cause:null};function G(e){let t={line:W,network:W,answer:W,request:W},n=W,r,i=(e,i,a=e)=>{t[e]=i===`online`?W:{state:i,cause:a};let o=Object.values(t).reduce((e,t)=>U.indexOf(t.state)>U.indexOf(e.state)?t:e);if(o.state===n.state&&o.cause===n.cause)return;let s={...o,previous:n.state,offline:!navigator.onLine,error:o===W?void 0:r};n=o;let c=new CustomEvent(`liveline:status`,{detail:s,bubbles:!0,cancelable:!0});J(document.dispatchEvent(c)?o:W)};document.addEventListener(`liveline:line`,({detail:e})=>{r=void 0,e.state===`late`?i(`line`,`late`,`heartbeat`):e.state===`away`?i(`line`,`resuming`):i(`line`,e.state===`lost`?`lost`:`online`)}),addEventListener(`liveline:error`,e=>{if(e.defaultPrevented||e.detail.status>0)return;r=e.detail.error;let t=K(r)?navigator.onLine?`request`:`network`:`handler`;r instanceof z?i(`line`,`lost`,A(r.code)?`line`:`handler`):i(`request`,`lost`,t)});let a,o=()=>{if(clearTimeout(a),e.navigator.requesting===null)return i(`answer`,`online`);a=setTimeout(()=>i(`answer`,`late`),3e3)};B.observe(e.navigator,`requesting`,o),document.addEventListener(`liveline:state`,()=>i(`request`,`online`)),addEventListener(`offline`,()=>i(`network`,`resuming`)),addEventListener(`online`,()=>{i(`network`,`online`),i(`request`,`online`)}),navigator.onLine||i(`network`,`resuming`),o()}function K(e){return e instanceof TypeError&&/fetch|network|load failed/i.test(e.message)}let q;function J(e){if(clearTimeout(q),document.documentElement.getAttribute(`data-${V}`)===`off`)return;customElements.get(V)===void 0&&customElements.define(V,Y);let t=()=>{let t=[...document.querySelectorAll(V)];t.length===0&&e.state!==`online`&&(t=[document.createElement(V)],document.body.append(t[0]));for(let n of t)n.setAttribute(`state`,e.state),e.cause===null?n.removeAttribute(`cause`):n.setAttribute(`cause`,e.cause)};e.state===`resuming`?q=setTimeout(t,1e3):t()}var Y=class extends HTMLElement{static observedAttributes=[`state`,`cause`];#e;#t;constructor(){super();let e=this.attachShadow({mode:`open`}),t=new CSSStyleSheet;t.replaceSync(`
  :host {
    color-scheme: light dark;
    position: fixed; inset: auto 0 0; z-index: 2147483000;
    display: flex; justify-content: center;
    padding: 0 0.75rem max(0.75rem, env(safe-area-inset-bottom));
    pointer-events: none;
    font: var(--liveline-status-font, 0.9375rem/1.4 system-ui, sans-serif);
  }
  :host(:not([state])), :host([state="online"]), :host([hidden]) { display: none; }
  [part="notice"] {
    box-sizing: border-box; max-width: 36rem;
    display: flex; align-items: center; gap: 0.75rem;
    padding: 0.625rem 0.5rem 0.625rem 1rem;
    color: var(--liveline-status-color, light-dark(#1c1b1a, #f3f1ee));
    background: var(--liveline-status-background, light-dark(#fff, #2a2927));
    border: 1px solid var(--liveline-status-border, light-dark(#d9d5cf, #4a4743));
    border-inline-start: 4px solid var(--liveline-status-accent, light-dark(#b7791f, #e0a94a));
    border-radius: var(--liveline-status-radius, 0.5rem);
    box-shadow: 0 0.25rem 1.25rem rgb(0 0 0 / 0.18);
    pointer-events: auto;
  }
  :host([state="lost"]) [part="notice"] {
    border-inline-start-color: var(--liveline-status-accent, light-dark(#b3261e, #f2766b));
  }
  [part="text"] { flex: 1; min-width: 0; }
  button {
    font: inherit; font-weight: 600; color: inherit; background: none; cursor: pointer;
    padding: 0.25rem 0.625rem; border: 1px solid currentColor; border-radius: 0.375rem;
  }
  button[part="close"] { border-color: transparent; padding-inline: 0.5rem; }
  button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
  [hidden] { display: none !important; }
`),e.adoptedStyleSheets=[t],this.#e=X(`span`,`text`),this.#t=X(`button`,`action`),this.#t.textContent=`Reload`,this.#t.onclick=()=>location.reload();let n=X(`button`,`close`);n.textContent=`×`,n.setAttribute(`aria-label`,`Close`),n.onclick=()=>this.setAttribute(`state`,`online`);let r=X(`div`,`notice`);r.setAttribute(`role`,`status`),r.append(this.#e,this.#t,n);let i=document.createElement(`slot`);i.append(r),e.append(i)}attributeChangedCallback(){let e=this.getAttribute(`state`);this.#e.textContent=this.getAttribute(e)??H[this.getAttribute(`cause`)]??H[e]??``,this.#t.hidden=e!==`lost`}};function X(e,t){let n=document.createElement(e);return n.setAttribute(`part`,t),e===`button`&&(n.type=`button`),n}let Z=`/.liveline/worker.js`;function Q(e,t){G(e),$(t)}async function $(e){let t=globalThis.navigator.serviceWorker;if(t!==void 0)try{if(e){await t.register(Z,{type:`module`,scope:`/`});return}let n=await t.getRegistration(`/`),r=n?.active?.scriptURL??``;new URL(r||`/`,location.href).pathname===Z&&await n.unregister()}catch(e){console.warn(`The service worker was not registered:`,e)}}return k={mend:P,redirect:R,goOn:Q},k}
